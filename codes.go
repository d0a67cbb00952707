package shale

import (
	"fmt"
	"strings"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/vector"
)

// Codes is what searches walk over: codes of a few bits a dimension that stand for the rows, or the rows themselves
// (Float32, Float16). Candidates that codes find are ranked by the rows kept, so that distances are those of Rows.
type Codes uint8

// The codes. RaBitQ's codes are of rotated rows, which suits any data; the scalar ones (SQ) save the rotation of a
// query and suit data whose dimensions are alike; those of product quantization (PQ) are trained on the rows.
const (
	AutoCodes Codes = iota // what suits the rows: NewPlan measures on some of them whether codes distinguish neighbours
	Float32                // none: searches walk over rows of four bytes a value
	Float16                // none: searches walk over rows of two bytes a value
	RaBitQ1                // one bit a value; the others accordingly
	RaBitQ2
	RaBitQ3
	RaBitQ4
	RaBitQ8
	SQ4
	SQ8
	PQ // product quantization: see BuildOptions.PQ
)

// codings holds the name of each and the configuration that graphs get.
var codings = [...]struct {
	name  string
	codes hnsw.Codes
}{
	AutoCodes: {name: "auto"},
	Float32:   {name: "fp32"},
	Float16:   {name: "fp16"},
	RaBitQ1:   {"rabitq1", hnsw.Codes{Kind: quant.RaBitQ, Bits: 1}},
	RaBitQ2:   {"rabitq2", hnsw.Codes{Kind: quant.RaBitQ, Bits: 2}},
	RaBitQ3:   {"rabitq3", hnsw.Codes{Kind: quant.RaBitQ, Bits: 3}},
	RaBitQ4:   {"rabitq4", hnsw.Codes{Kind: quant.RaBitQ, Bits: 4}},
	RaBitQ8:   {"rabitq8", hnsw.Codes{Kind: quant.RaBitQ, Bits: 8}},
	SQ4:       {"sq4", hnsw.Codes{Kind: quant.Scalar, Bits: 4}},
	SQ8:       {"sq8", hnsw.Codes{Kind: quant.Scalar, Bits: 8}},
	PQ:        {"pq", hnsw.Codes{Kind: quant.Product, Bits: 8}},
}

// codesNames lists the names that ParseCodes reads.
func codesNames() []string {
	names := make([]string, len(codings))
	for i, s := range codings {
		names[i] = s.name
	}
	return names
}

func (c Codes) String() string {
	if int(c) < len(codings) {
		return codings[c].name
	}
	return fmt.Sprintf("Codes(%d)", uint8(c))
}

// ParseCodes reads a name: auto, fp32, fp16, rabitq1 to rabitq4, rabitq8, sq4, sq8 or pq.
func ParseCodes(name string) (Codes, error) {
	for i, s := range codings {
		if strings.EqualFold(name, s.name) {
			return Codes(i), nil
		}
	}
	return 0, unknown("codes", name, codesNames(), "rabitq5", "rabitq6", "rabitq7")
}

// unknown is the error for a name that is none of the choices; some are planned.
func unknown(what, name string, choices []string, planned ...string) error {
	list := strings.Join(choices, ", ")
	for _, p := range planned {
		if strings.EqualFold(name, p) {
			return fmt.Errorf("%s %q is not supported by this version: it is not one of %s", what, name, list)
		}
	}
	return fmt.Errorf("%s %q is not one of %s", what, name, list)
}

// Rows is the type of the rows that an index keeps, from which distances are computed. Distances are exact for the rows
// kept, which RowsFloat16 and RowsSQ8 round.
type Rows uint8

// The types of rows kept.
const (
	// AutoRows keeps what searches walk over, if that is rows. Beside codes it keeps half floats if rounding to them moves
	// hardly any row as far as its neighbours, or else float32. New, which knows no rows, keeps half floats for cosine
	// only.
	AutoRows    Rows = iota
	RowsFloat32      // four bytes a value
	RowsFloat16      // two
	// RowsSQ8 keeps a byte a value and a scale a row, beside codes: a value is off by at most 1/254 of its row's largest.
	RowsSQ8
	// RowsNone keeps codes alone. Distances are their estimates, for l2 and cosine at least 0; the links of new rows
	// are chosen by them, and Graph().Vector gives what a code stands for. The codes are trained once, on the first rows
	// added: a first batch that is like the rest makes better ones than a single row, and they don't follow rows that
	// drift away.
	RowsNone
)

var rowKinds = [...]string{"auto", "fp32", "fp16", "sq8", "none"}

// types are those of the rows that each asks for.
var types = map[Rows]vector.Type{
	RowsFloat32: vector.Float32, RowsFloat16: vector.Float16, RowsSQ8: rowtype.ScaledInt8, RowsNone: rowtype.NoRows,
}

func (r Rows) String() string {
	if int(r) < len(rowKinds) {
		return rowKinds[r]
	}
	return fmt.Sprintf("Rows(%d)", uint8(r))
}

// ParseRows reads auto, fp32, fp16, sq8 or none.
func ParseRows(name string) (Rows, error) {
	for i, k := range rowKinds {
		if strings.EqualFold(name, k) {
			return Rows(i), nil
		}
	}
	return 0, unknown("rows", name, rowKinds[:])
}

// autoCodes picks what searches walk over where rows of a type are kept.
func autoCodes(dim int, rows vector.Type) Codes {
	codes := hnsw.AutoCodes(dim)
	for c, known := range codings {
		if known.codes == codes && codes.Bits > 0 {
			return Codes(c)
		}
	}
	return walkOver(rows)
}

// walkOver returns rows of a type as what searches walk over, or the codes most like them if they can't be.
func walkOver(rows vector.Type) Codes {
	switch rows {
	case vector.Float16:
		return Float16
	case rowtype.ScaledInt8, rowtype.NoRows:
		return RaBitQ8
	}
	return Float32
}

// layout decides which codes searches walk over, if any, and which rows an index of dim values a row keeps.
func (o *BuildOptions) layout(dim int, halfIsSafe bool) (hnsw.Codes, vector.Type, error) {
	if int(o.Codes) >= len(codings) || int(o.Rows) >= len(rowKinds) {
		return hnsw.Codes{}, 0, fmt.Errorf("there is no %v, or no %v", o.Codes, o.Rows)
	}
	rows := types[o.Rows] // AutoRows: fp32 for the time being
	if o.Rows == AutoRows && o.Codes == Float16 {
		rows = vector.Float16
	}
	chosen := o.Codes
	if chosen == AutoCodes && o.GraphOnly {
		chosen = walkOver(rows)
	}
	if chosen == AutoCodes {
		chosen = autoCodes(dim, rows)
	}
	codes := codings[chosen].codes
	if chosen == PQ {
		codes = o.PQ.codes()
	} else if o.PQ != (PQOptions{}) {
		return codes, 0, fmt.Errorf("searches that walk over %v read no codes of product quantization", chosen)
	}
	switch {
	case codes.Bits == 0 && o.Rows != AutoRows && o.Rows.String() != chosen.String():
		return codes, 0, fmt.Errorf("searches that walk over %v rows have just these: rows of type %v go with codes",
			chosen, o.Rows)
	case codes.Bits != 0 && o.Rows == AutoRows && halfIsSafe:
		rows = vector.Float16
	}
	return codes, rows, nil
}

// hasCodes reports whether searches walk over codes, of rows of dim values.
func hasCodes(c Codes, dim int) (bool, error) {
	o := BuildOptions{Codes: c}
	codes, _, err := o.layout(dim, false)
	return codes.Bits != 0, err
}

// storageOf returns the names of the codes that searches walk over and of the rows that are kept.
func storageOf(c hnsw.Config) (storage, keep string) {
	keep = c.Storage.String()
	if c.Codes.Bits == 0 {
		return keep, keep
	}
	if c.Codes.Kind == quant.Product {
		return PQ.String(), keep
	}
	return fmt.Sprintf("%v%d", c.Codes.Kind, c.Codes.Bits), keep
}
