package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/sq8"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Report is the result of Verify.
type Report struct {
	Info
	Problems  []error // empty if the file is in order
	Reachable int     // elements that links of level 0 lead to from the entry point; 0 where the graph is damaged
	// Unreachable is the number of elements, not marked deleted, to which no links lead: searches may miss them.
	Unreachable int
}

// Verify checks all of an index file: the checksum of every section and the zeros between them, that levels, links,
// lists and labels keep the graph's rules, and that vectors are finite. It needs memory for the links but not for the
// vectors. The error joins the problems found, or says why Verify couldn't go on.
func Verify(ctx context.Context, path string) (Report, error) {
	var report Report
	err := withLoader(ctx, path, func(l *loader) (err error) {
		report, err = l.verify(ctx)
		return err
	})
	return report, err
}

func (l *loader) verify(ctx context.Context) (Report, error) {
	v := &verifier{loader: l}
	defer v.free()
	v.report.Info = l.info()
	err := v.run(ctx)
	return v.report, errors.Join(append(v.report.Problems, err)...)
}

type verifier struct {
	*loader
	report Report
	image  hnsw.Image
	memory []*mmap.Region
}

func (v *verifier) free() {
	for _, r := range v.memory {
		_ = r.Close() // unmapping what mmap gave can't fail
	}
}

// run reads the file. Problems go to the report; the error is one that ends the reading.
func (v *verifier) run(ctx context.Context) error {
	m := &v.image
	m.Config, m.Count, m.TopLevel = v.meta.config(), int(v.meta.Count), -1
	if err := v.allocate(); err != nil {
		return err
	}
	v.begun(m)
	for k := Levels; k < kinds+1; k++ {
		v.note(v.enter(k))
		if err := v.content(k); err != nil {
			return err
		}
		v.note(v.checkCRC(k))
	}
	if len(v.report.Problems) > 0 {
		return nil // the graph's rules would be broken for that reason
	}
	v.note(v.checkDeleted(m))
	v.note(v.locate(m.Check()))
	v.note(v.locate(m.CheckQuantizer()))
	v.note(v.checkLabels())
	if len(v.report.Problems) > 0 {
		return nil
	}
	var err error
	v.report.Reachable, v.report.Unreachable, err = v.reachable(ctx)
	return err
}

// note adds a problem of the file to the report.
func (v *verifier) note(err error) {
	if err != nil {
		v.report.Problems = append(v.report.Problems, err)
	}
}

// allocate makes room for the image's arrays but not for its rows.
func (v *verifier) allocate() error {
	m, n := &v.image, v.image.Count
	var err error
	m.Levels = allocate[uint8](v, n, &err)
	m.Links0 = allocate[uint32](v, n*2*m.Config.M, &err)
	m.UpperAt = allocate[uint32](v, n, &err)
	m.Upper = allocate[uint32](v, int(v.meta.UpperLists)*m.Config.M, &err)
	m.Labels = allocate[uint64](v, n, &err)
	m.Deleted = allocate[uint32](v, (n+31)/32, &err)
	m.Quantizer = make([]float32, v.h.section(Quantizer).Length/4)
	m.Codes = allocate[uint8](v, int(v.h.section(Codes).Length), &err)
	return err
}

// allocate maps n elements of T for v, unless an earlier call failed. n is justified by a section's length.
func allocate[T uint8 | uint32 | uint64](v *verifier, n int, err *error) []T {
	if *err != nil {
		return nil
	}
	var r *mmap.Region
	if r, *err = mmap.Anonymous(n * binary.Size(T(0))); *err != nil {
		return nil
	}
	v.memory = append(v.memory, r)
	return mmap.Slice[T](r, 0, n)
}

func (v *verifier) content(k Kind) error {
	if k == Sums {
		err := v.readSums()
		if damaged := (*FormatError)(nil); errors.As(err, &damaged) {
			v.note(err)
			return nil
		}
		return err
	}
	if k != Vectors {
		return v.full(array(&v.image, k), k)
	}
	at, stride := v.h.section(Vectors).Offset, int64(v.meta.RowStride)
	infinite := infiniteFloat32
	switch c := v.image.Config; c.Storage {
	case vector.Float16:
		infinite = infiniteFloat16
	case rowtype.ScaledInt8:
		infinite = func(row []byte) bool { return !sq8.Sound(row, c.Dim) }
	}
	return v.rows(func(i int, row []byte) error {
		if infinite(row) {
			v.note(v.r.Caused(hnsw.ErrNotFinite, at+int64(i)*stride, Vectors.String(), "row %d", i))
		}
		return nil
	})
}

// infiniteFloat32 reports whether the row holds NaN or infinity: all bits of an exponent set.
func infiniteFloat32(row []byte) bool {
	for ; len(row) >= 4; row = row[4:] {
		v := math.Float32frombits(binary.LittleEndian.Uint32(row))
		if v-v != 0 {
			return true
		}
	}
	return false
}

func infiniteFloat16(row []byte) bool {
	for ; len(row) >= 2; row = row[2:] {
		if binary.LittleEndian.Uint16(row)&0x7c00 == 0x7c00 {
			return true
		}
	}
	return false
}

// checkLabels looks for a label that two elements carry. It sorts the labels.
func (v *verifier) checkLabels() error {
	labels := v.image.Labels
	slices.Sort(labels)
	for i := 1; i < len(labels); i++ {
		if labels[i] == labels[i-1] {
			return v.r.Bad(v.h.section(Labels).Offset, Labels.String(), "label %d is that of two elements", labels[i])
		}
	}
	if n := len(labels); n > 0 && labels[n-1] == search.NoLabel {
		return v.r.Bad(v.h.section(Labels).Offset, Labels.String(), "%v", hnsw.ErrNoLabel)
	}
	return nil
}

// reachable counts the elements to which links of level 0 lead from the entry point, and the elements not marked
// deleted to which none lead.
func (v *verifier) reachable(ctx context.Context) (n, missed int, err error) {
	m := &v.image
	if m.Count == 0 {
		return 0, 0, nil
	}
	met := make([]uint64, (m.Count+63)/64)
	met[m.Entry/64] |= 1 << (m.Entry % 64)
	open, m0 := []uint32{m.Entry}, 2*m.Config.M
	n = 1
	for len(open) > 0 {
		id := int(open[len(open)-1])
		open = open[:len(open)-1]
		for _, link := range m.Links0[id*m0 : (id+1)*m0] {
			if link == 0 {
				break
			}
			to := link - 1
			if met[to/64]>>(to%64)&1 == 0 {
				met[to/64] |= 1 << (to % 64)
				open = append(open, to)
				n++
			}
		}
		if n&0xffff == 0 && ctx.Err() != nil {
			return 0, 0, fmt.Errorf("verify: %w", ctx.Err())
		}
	}
	for id := range m.Count {
		if met[id/64]>>(id%64)&1 == 0 && m.Deleted[id/32]>>(id%32)&1 == 0 {
			missed++
		}
	}
	return n, missed, nil
}
