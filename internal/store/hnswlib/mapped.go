package hnswlib

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/vector"
)

// Map opens an index.bin whose vectors stay in the file and come into memory only as far as searches read them. Links
// and labels lie between the vectors there: they are read, checked and kept in memory, so that opening reads the file
// once, from start to end. Marks of deletion can be changed, in memory alone; elements can't be added. Of o Codes and
// ReplaceDelete aren't heeded.
func Map(ctx context.Context, path string, o Options) (*hnsw.Index, error) {
	f, size, err := format.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("hnswlib index: %w", err)
	}
	defer f.Close()
	o.Codes, o.ReplaceDelete = hnsw.Codes{}, false
	d := &decoder{r: format.NewReader(ctx, f, path, size), storage: rowtype.External}
	x, err := d.index(&o)
	if err != nil {
		return nil, err
	}
	if err := d.attach(x, path); err != nil {
		return nil, errors.Join(fmt.Errorf("map %s: %w", path, err), x.Close())
	}
	return x, nil
}

// attach gives x the vectors in the file.
func (d *decoder) attach(x *hnsw.Index, path string) error {
	r, err := mmap.File(path, d.r.Size())
	if err != nil {
		return err
	}
	b := r.Bytes()
	if d.h.Count > 0 {
		b = b[headerSize+int64(d.h.DataOffset):]
	}
	rows, err := vector.FromBytes(b, vector.Float32, int(d.h.Count), d.h.dim, int(d.h.Stride))
	if err == nil {
		err = x.Attach(rows, hnsw.AttachOptions{Mapped: true, Trusted: true, Owner: r})
	}
	if err != nil {
		return errors.Join(err, r.Close())
	}
	return nil
}

// checkFinite tests the float32 in b, which are element id's, at byte at of the file.
func (d *decoder) checkFinite(b []byte, at int64, id int) error {
	const exponent = 0x7f800000
	for i := 0; i < len(b); i += 4 {
		if binary.LittleEndian.Uint32(b[i:])&exponent == exponent {
			return d.r.Caused(hnsw.ErrNotFinite, at+int64(d.h.DataOffset), "vector", "element %d", id)
		}
	}
	return nil
}
