package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

// Flags of meta.
const (
	flagFrozen uint32 = 1 << iota
	flagFixedCapacity
	flagReplaceDelete
	flagCustomMetric

	knownFlags = 1<<iota - 1
)

const (
	metaSize = 96
	maxDim   = 1 << 20
	maxRows  = math.MaxUint32 - 1
	maxLevel = 255
)

// meta is the section that describes the index, field by field as in the file.
type meta struct {
	Flags          uint32
	Metric         uint32
	Storage        uint32
	Dim            uint32
	M              uint32
	EfConstruction uint32
	Seed           uint64
	Count          uint64
	Capacity       uint64
	UpperLists     uint64
	RowStride      uint64
	Deleted        uint64
	TopLevel       int32
	Entry          uint32
	BaseLinks      uint32
	CodeBits       uint8 // a dimension; 0: no codes
	CodeKind       uint8
	Coded          uint8  // whether the codes are there; an index that was never trained has none
	Rotated        uint8  // of product quantization: whether rows are rotated
	Subvectors     uint32 // of product quantization: a row
	Reserved       uint32
}

func metaOf(m *hnsw.Image, frozen bool) meta {
	c := &m.Config
	return meta{
		Flags: flag(flagFrozen, frozen) | flag(flagFixedCapacity, c.FixedCapacity) |
			flag(flagReplaceDelete, c.ReplaceDelete) | flag(flagCustomMetric, c.Custom != nil),
		Metric: uint32(c.Metric), Storage: uint32(c.Storage), Dim: uint32(c.Dim), M: uint32(c.M),
		EfConstruction: uint32(c.EfConstruction), Seed: c.Seed,
		Count: uint64(m.Count), Capacity: uint64(max(c.Capacity, m.Count)), UpperLists: uint64(m.UpperLists()),
		RowStride: rowStride(m), Deleted: uint64(countBits(m.Deleted)),
		TopLevel: int32(m.TopLevel), Entry: m.Entry, BaseLinks: uint32(c.BaseLinks),
		CodeBits: uint8(c.Codes.Bits), CodeKind: uint8(c.Codes.Kind), Coded: uint8(flag(1, m.Coded)),
		Rotated: uint8(flag(1, c.Codes.Rotated)), Subvectors: uint32(c.Codes.Subvectors),
	}
}

// rowStride returns the bytes from one row to the next in the file: 0 if rows are stored elsewhere.
func rowStride(m *hnsw.Image) uint64 {
	if m.Config.Storage == rowtype.External {
		return 0
	}
	return uint64(m.Rows.Stride())
}

func flag(f uint32, set bool) uint32 {
	if set {
		return f
	}
	return 0
}

func (m *meta) has(f uint32) bool { return m.Flags&f != 0 }

func (m *meta) encode() ([]byte, error) {
	return binary.Append(make([]byte, 0, metaSize), binary.LittleEndian, m)
}

// config returns the configuration of the index in the file. Capacity is the one in the file.
func (m *meta) config() hnsw.Config {
	return hnsw.Config{
		Dim: int(m.Dim), Metric: vector.Metric(m.Metric), M: int(m.M), BaseLinks: int(m.BaseLinks),
		EfConstruction: int(m.EfConstruction), Seed: m.Seed, Storage: vector.Type(m.Storage), Capacity: int(m.Capacity),
		Codes:         m.codes(),
		FixedCapacity: m.has(flagFixedCapacity), ReplaceDelete: m.has(flagReplaceDelete),
	}
}

// parseMeta decodes and checks the section's bytes, so that lengths computed from it neither overflow nor differ from
// those of the other sections.
func parseMeta(r *format.Reader, h *header, b []byte) (*meta, error) {
	m, at := &meta{}, h.section(Meta).Offset
	if _, err := binary.Decode(b, binary.LittleEndian, m); err != nil {
		return nil, r.Caused(err, at, "meta", "can't be decoded")
	}
	err := m.check()
	if err == nil && h.custom != "" && !m.has(flagCustomMetric) {
		err = fmt.Errorf("the header names the metric %q, it is %d", h.custom, m.Metric)
	}
	if err != nil {
		return nil, r.Caused(err, at, "meta", "inconsistent")
	}
	for k, want := range m.lengths() {
		if s := h.section(k); s.Length != want {
			return nil, r.Bad(s.Offset, k.String(), "%d bytes long, %d elements need %d", s.Length, m.Count, want)
		}
	}
	return m, nil
}

func (m *meta) check() error {
	switch {
	case m.Flags&^knownFlags != 0:
		return fmt.Errorf("flags %#x: %w", m.Flags, errors.ErrUnsupported)
	case m.Metric > uint32(score.Custom) || m.has(flagCustomMetric) != (m.Metric == uint32(score.Custom)):
		return fmt.Errorf("metric %d with flags %#x: %w", m.Metric, m.Flags, errors.ErrUnsupported)
	case !storable(m.Storage):
		return fmt.Errorf("element type %d: %w", m.Storage, errors.ErrUnsupported)
	case m.Dim < 1 || m.Dim > maxDim:
		return fmt.Errorf("dimension %d is not 1 … %d", m.Dim, maxDim)
	case m.M < 2 || m.M > 10000:
		return fmt.Errorf("%d as M is not 2 … 10,000", m.M)
	case m.BaseLinks < m.M || m.BaseLinks > 2*m.M:
		return fmt.Errorf("%d links of a new element on level 0 are not M … 2·M", m.BaseLinks)
	case m.CodeBits > 4 && m.CodeBits != 8 || m.CodeKind > uint8(quant.Product) || m.CodeBits == 0 && m.CodeKind != 0:
		return fmt.Errorf("codes of kind %d with %d bits: %w", m.CodeKind, m.CodeBits, errors.ErrUnsupported)
	case m.CodeKind == uint8(quant.Product):
		if err := m.checkProduct(); err != nil {
			return err
		}
	case m.Rotated != 0 || m.Subvectors != 0:
		return fmt.Errorf("%d sub-vectors (rotated: %d) of codes of kind %d", m.Subvectors, m.Rotated, m.CodeKind)
	}
	switch {
	case m.CodeBits != 0 && (m.Dim > quant.MaxDim || m.has(flagCustomMetric)):
		return fmt.Errorf("codes of %d dimensions with flags %#x", m.Dim, m.Flags)
	case m.Coded > 1 || m.Coded == 1 && m.CodeBits == 0:
		return fmt.Errorf("codes are there (%d) with %d bits", m.Coded, m.CodeBits)
	case m.Reserved != 0:
		return fmt.Errorf("reserved field is %#x, not 0", m.Reserved)
	case m.EfConstruction < m.M || m.EfConstruction > 1<<24:
		return fmt.Errorf("efConstruction %d is not M … %d", m.EfConstruction, 1<<24)
	case m.Capacity > maxRows || m.Count > m.Capacity || m.Deleted > m.Count:
		return fmt.Errorf("%d elements, %d of them deleted, and room for %d are not possible", m.Count, m.Deleted, m.Capacity)
	case m.UpperLists > min(m.Count*maxLevel, math.MaxUint32):
		return fmt.Errorf("%d lists above level 0 are more than %d elements can have", m.UpperLists, m.Count)
	case m.Count == 0 && m.TopLevel != -1 || m.Count > 0 && (m.TopLevel < 0 || m.TopLevel > maxLevel):
		return fmt.Errorf("top level %d with %d elements", m.TopLevel, m.Count)
	case m.Count > 0 && uint64(m.Entry) >= m.Count:
		return fmt.Errorf("entry point %d of %d elements", m.Entry, m.Count)
	}
	return m.checkRows()
}

// checkProduct tests the fields about product quantization.
func (m *meta) checkProduct() error {
	if m.Rotated > 1 || m.Subvectors == 0 {
		return fmt.Errorf("%d sub-vectors, rotated: %d", m.Subvectors, m.Rotated)
	}
	return pq.Config{Dim: int(m.Dim), Bits: int(m.CodeBits), Subvectors: int(m.Subvectors),
		Rotated: m.Rotated != 0}.Check()
}

// codes returns the part of the configuration about codes.
func (m *meta) codes() hnsw.Codes {
	return hnsw.Codes{Kind: quant.Kind(m.CodeKind), Bits: int(m.CodeBits),
		Subvectors: int(m.Subvectors), Rotated: m.Rotated != 0}
}

// storable reports whether rows of a type can be stored.
func storable(element uint32) bool {
	switch element {
	case uint32(vector.Float32), uint32(vector.Float16), uint32(rowtype.ScaledInt8),
		uint32(rowtype.NoRows), uint32(rowtype.External):
		return true
	}
	return false
}

// checkRows tests the fields about rows, once the others are in order.
func (m *meta) checkRows() error {
	t := vector.Type(m.Storage)
	row, align := uint64(rowtype.Size(t, int(m.Dim))), uint64(rowtype.Align(t))
	switch {
	case row == 0 && m.RowStride != 0:
		return fmt.Errorf("no rows every %d bytes", m.RowStride)
	case t == rowtype.NoRows && (m.CodeBits == 0 || m.Count > 0 && m.Coded == 0):
		return fmt.Errorf("%d elements have neither rows nor codes (%d bits, there: %d)", m.Count, m.CodeBits, m.Coded)
	case row != 0 && (m.RowStride < row || m.RowStride >= 2*row+64 || m.RowStride%align != 0):
		return fmt.Errorf("rows of %d bytes every %d bytes", row, m.RowStride)
	}
	return nil
}

// codeStride returns the bytes of an element's code.
func (m *meta) codeStride() int {
	if m.Coded == 0 {
		return 0
	}
	c := hnsw.Config{Dim: int(m.Dim), Codes: m.codes()}
	return c.CodeStride()
}

// quantizerValues returns the number of values that define the codes.
func (m *meta) quantizerValues() int {
	if m.Coded == 0 {
		return 0
	}
	c := hnsw.Config{Dim: int(m.Dim), Codes: m.codes()}
	return c.QuantizerValues()
}

// lengths returns the length that each section must have.
func (m *meta) lengths() map[Kind]int64 {
	n, links := int64(m.Count), int64(m.M)
	return map[Kind]int64{
		Meta:      metaSize,
		Levels:    n,
		Links0:    n * 2 * links * 4,
		UpperAt:   n * 4,
		Upper:     int64(m.UpperLists) * links * 4,
		Labels:    n * 8,
		Vectors:   n * int64(m.RowStride),
		Deleted:   (n + 31) / 32 * 4,
		Quantizer: int64(m.quantizerValues()) * 4,
		Codes:     int64(m.Coded) * n * int64(m.codeStride()),
		Sums:      4 * blocks(n*int64(m.RowStride)),
	}
}
