package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/internal/location"
)

// explain says of the error of opening an index what is at path instead, and what to do about it.
func explain(err error, path string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, statErr := os.Stat(path); statErr != nil {
			return fmt.Errorf("%s: there is no such index: build one with \"shale build --output %s\"", path, path)
		}
	case errors.Is(err, shale.ErrNotIndex) && isVectors(path):
		return fmt.Errorf("%s is a file of vectors, not an index: build one with \"shale build --input %s\"", path, path)
	}
	return err
}

// isVectors reports whether a regular file holds vectors.
func isVectors(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	r, err := datafile.Open(path)
	return err == nil && r.Close() == nil
}

// explainVectors says of the error of reading vectors whether one of the files is an index.
func explainVectors(err error, paths ...string) error {
	if err == nil {
		return nil
	}
	for _, path := range paths {
		if kind, detectErr := location.Detect(dataname.File(path)); detectErr == nil {
			return fmt.Errorf("%s is an index (a %s), not a file of vectors", path, kind)
		}
	}
	return err
}
