package datafile

import (
	"bufio"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ReadLabels reads labels from an npy or npz of integers, from a Parquet column of integers, or from text with one
// label a line. In text, blank lines are skipped, and so is whatever follows a #.
func ReadLabels(path string) (labels []uint64, err error) {
	err = withInput(path, func(in *input, format, member string) error {
		add := func(v uint64) { labels = append(labels, v) }
		switch format {
		case "":
			return textLabels(in, add)
		case ".parquet":
			return in.parquetLabels(member, add)
		case ".hdf5":
			return in.hdf5Error(member)
		}
		return in.arrayLabels(format, member, add)
	})
	if err != nil {
		return nil, err
	}
	if i := slices.Index(labels, math.MaxUint64); i >= 0 {
		return nil, origin{path}.bad(-1, "labels", "label %d is %d, which stands for no row: labels are 0 to 2^64-2",
			i, labels[i])
	}
	return labels, nil
}

func (in *input) arrayLabels(format, member string, add func(uint64)) error {
	if format != ".npy" && format != ".npz" {
		return in.unknown(".npy, .npz or .parquet of integers, or text")
	}
	a, err := openIntegers(in, format, member, 1)
	if err != nil {
		return err
	}
	if err := a.flat(); err != nil {
		return err
	}
	return a.ints().labels(a.origin, add)
}

// parquetLabels adds the labels that a column holds.
func (in *input) parquetLabels(column string, add func(uint64)) error {
	src, rows, err := openParquetColumn(in, column, chooseIntegers)
	if err != nil {
		return err
	}
	defer src.codec.close()
	labels := intSource{rowSource: src, dt: src.leaf.stored, left: rows}
	return labels.labels(src.origin, add)
}

// maxLine bounds a line of text; a label has at most 20 digits, and the rest is for comments.
const maxLine = 64 << 10

func textLabels(in *input, add func(uint64)) error {
	s := bufio.NewScanner(in.from(0, in.size))
	s.Buffer(make([]byte, 4<<10), maxLine)
	off := int64(0)
	s.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		n, token, err := bufio.ScanLines(data, atEOF)
		off += int64(n)
		return n, token, err
	})
	for line := 1; s.Scan(); line++ {
		text, _, _ := strings.Cut(s.Text(), "#")
		text = strings.TrimSpace(text)
		if line == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if text == "" {
			continue
		}
		v, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return in.caused(errors.Unwrap(err), off, "line "+strconv.Itoa(line),
				"%.40q is no label: want a whole number from 0 to 2^64-1, one a line", text)
		}
		add(v)
	}
	if err := s.Err(); err != nil {
		return in.caused(err, off, "line", "can't be read: want text with one label a line")
	}
	return nil
}
