package hnswlib

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
)

const (
	headerSize = 96
	labelSize  = 8
	listHead   = 4 // number of links, flags
	maxDim     = 1 << 20
	maxRows    = math.MaxUint32 - 1
	maxLevel   = 255
	noEntry    = math.MaxUint32
)

// fields is the start of an index.bin as it lies in the file.
type fields struct {
	OffsetLevel0   uint64
	MaxElements    uint64
	Count          uint64
	Stride         uint64
	LabelOffset    uint64
	DataOffset     uint64
	MaxLevel       int32
	Entry          uint32
	MaxM           uint64
	MaxM0          uint64
	M              uint64
	Mult           float64
	EfConstruction uint64
}

// Where the fields of an index.bin lie.
const (
	atOffsetLevel0   = 0
	atMaxElements    = 8
	atCount          = 16
	atStride         = 24
	atLabelOffset    = 32
	atDataOffset     = 40
	atMaxLevel       = 48
	atEntry          = 52
	atMaxM           = 56
	atMaxM0          = 64
	atM              = 72
	atMult           = 80
	atEfConstruction = 88
)

// places says where the fields that both kinds of file have lie in one of them.
type places struct {
	size                                                                 int64 // of the header
	maxElements, count, maxLevel, entry, maxM, maxM0, m, mult, construct int64
}

var indexAt = places{
	size: headerSize, maxElements: atMaxElements, count: atCount, maxLevel: atMaxLevel, entry: atEntry,
	maxM: atMaxM, maxM0: atMaxM0, m: atM, mult: atMult, construct: atEfConstruction,
}

// header is the start of an index.bin or of a .graph, whose elements have the same parts but for the vector.
type header struct {
	fields
	at  *places
	dim int // values a vector, once check has passed
}

// headerOf is the header of the index.bin that m is written as.
func headerOf(m *hnsw.Image) header {
	links, dim := uint64(m.Config.M), uint64(m.Config.Dim)
	h := header{at: &indexAt, dim: m.Config.Dim}
	h.fields = fields{
		MaxElements: uint64(max(m.Config.Capacity, m.Count)), Count: uint64(m.Count),
		DataOffset: listHead + 4*2*links, MaxLevel: int32(m.TopLevel), Entry: m.Entry,
		MaxM: links, MaxM0: 2 * links, M: links, Mult: 1 / math.Log(float64(links)),
		EfConstruction: uint64(m.Config.EfConstruction),
	}
	h.LabelOffset = h.DataOffset + 4*dim
	h.Stride = h.LabelOffset + labelSize
	if m.Count == 0 {
		h.MaxLevel, h.Entry = -1, noEntry
	}
	return h
}

func (h *header) encode() ([]byte, error) {
	return binary.Append(make([]byte, 0, headerSize), binary.LittleEndian, &h.fields)
}

func readHeader(r *format.Reader) (*header, error) {
	b, err := r.Next(headerSize, "header")
	if err != nil {
		return nil, err
	}
	h := &header{at: &indexAt}
	if _, err := binary.Decode(b, binary.LittleEndian, &h.fields); err != nil {
		return nil, r.Caused(err, 0, "header", "can't be decoded")
	}
	h.dim = int((h.LabelOffset - h.DataOffset) / 4)
	return h, h.check(r, h.checkElement)
}

// listSize is the bytes of a list above level 0.
func (h *header) listSize() int64 { return listHead + 4*int64(h.M) }

// upperLists is the number of lists above level 0 in a file of size bytes. What is left over doesn't make a list.
func (h *header) upperLists(size int64) (lists, left int64) {
	rest := size - h.at.size - int64(h.Count)*int64(h.Stride+4)
	return rest / h.listSize(), rest % h.listSize()
}

// check tests every field against the others and against the file's length, so that what is computed from them
// afterwards neither overflows nor leads out of the file.
func (h *header) check(r *format.Reader, checkElement func(*format.Reader) error) error {
	for _, test := range []func(*format.Reader) error{h.checkLinks, checkElement, h.checkCount, h.checkEntry} {
		if err := test(r); err != nil {
			return err
		}
	}
	return nil
}

func (h *header) checkLinks(r *format.Reader) error {
	switch {
	case h.OffsetLevel0 != 0:
		return r.Bad(atOffsetLevel0, "offsetLevel0", "%d, not 0", h.OffsetLevel0)
	case h.M < 2 || h.M > 10000:
		return r.Bad(h.at.m, "M", "%d is not 2 … 10,000", h.M)
	case h.MaxM != h.M:
		return r.Caused(errors.ErrUnsupported, h.at.maxM, "maxM", "%d differs from M, which is %d", h.MaxM, h.M)
	case h.MaxM0 != 2*h.M:
		return r.Caused(errors.ErrUnsupported, h.at.maxM0, "maxM0", "%d is not twice M, which is %d", h.MaxM0, h.M)
	case !(math.Abs(h.Mult*math.Log(float64(h.M))-1) < 1e-6): // NaN isn't less either
		return r.Bad(h.at.mult, "mult", "%v is not 1 / ln(M)", h.Mult)
	case h.EfConstruction < 1 || h.EfConstruction > 1<<24:
		return r.Bad(h.at.construct, "ef_construction", "%d is not 1 … %d", h.EfConstruction, 1<<24)
	}
	return nil
}

func (h *header) checkElement(r *format.Reader) error {
	bytes := h.LabelOffset - h.DataOffset
	switch {
	case h.DataOffset != listHead+4*h.MaxM0:
		return r.Bad(atDataOffset, "data_offset", "%d, but lists of %d links end at %d",
			h.DataOffset, h.MaxM0, listHead+4*h.MaxM0)
	case h.LabelOffset <= h.DataOffset || bytes%4 != 0 || bytes/4 > maxDim:
		return r.Bad(atLabelOffset, "label_offset", "%d leaves no vector of 1 … %d float32 after %d",
			h.LabelOffset, maxDim, h.DataOffset)
	case h.Stride != h.LabelOffset+labelSize:
		return r.Bad(atStride, "stride", "%d, but labels end at %d", h.Stride, h.LabelOffset+labelSize)
	}
	return nil
}

func (h *header) checkCount(r *format.Reader) error {
	if h.Count > h.MaxElements || h.Count > maxRows {
		return r.Bad(h.at.count, "count", "%d elements, at most %d are possible", h.Count, min(h.MaxElements, maxRows))
	}
	need := h.at.size + int64(h.Count)*int64(h.Stride+4)
	if r.Size() < need {
		return r.Bad(h.at.count, "count", "%d elements take %d bytes, the file has %d", h.Count, need, r.Size())
	}
	lists, left := h.upperLists(r.Size())
	if left != 0 {
		return r.Bad(need, "upper lists", "%d bytes after the elements aren't lists of %d bytes: truncated, or something "+
			"follows", r.Size()-need, h.listSize())
	}
	if lists > min(int64(h.Count)*maxLevel, math.MaxUint32) {
		return r.Bad(need, "upper lists", "%d lists are more than %d elements can have", lists, h.Count)
	}
	return nil
}

func (h *header) checkEntry(r *format.Reader) error {
	switch {
	case h.Count == 0 && h.MaxLevel != -1:
		return r.Bad(h.at.maxLevel, "max_level", "%d in an index without elements", h.MaxLevel)
	case h.Count == 0 && h.Entry != noEntry:
		return r.Bad(h.at.entry, "entry point", "element %d in an index without elements", h.Entry)
	case h.Count > 0 && (h.MaxLevel < 0 || h.MaxLevel > maxLevel):
		return r.Bad(h.at.maxLevel, "max_level", "%d is not 0 … %d", h.MaxLevel, maxLevel)
	case h.Count > 0 && uint64(h.Entry) >= h.Count:
		return r.Bad(h.at.entry, "entry point", "element %d of %d", h.Entry, h.Count)
	}
	return nil
}
