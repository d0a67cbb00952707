package shale

import (
	"fmt"

	"github.com/shale-search/shale/internal/coding"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/vector"
)

// Codes names what searches walk over: codes of a few bits a dimension that stand for the rows, or the rows themselves
// (Float32, Float16). Candidates that codes find are ranked by the rows kept, so that distances are those of Rows.
//
// The zero value, or "auto", chooses what suits the rows: NewPlan measures on some of them whether codes distinguish
// neighbours.
type Codes string

// The codes. RaBitQ's codes are of rotated rows, which suits any data; the scalar ones (SQ) save the rotation of a
// query and suit data whose dimensions are alike; those of product quantization (PQ) are trained on the rows.
const (
	Float32 Codes = "fp32"    // none: searches walk over rows of four bytes a value
	Float16 Codes = "fp16"    // none: searches walk over rows of two bytes a value
	RaBitQ1 Codes = "rabitq1" // one bit a value; the others accordingly
	RaBitQ2 Codes = "rabitq2"
	RaBitQ3 Codes = "rabitq3"
	RaBitQ4 Codes = "rabitq4"
	RaBitQ8 Codes = "rabitq8"
	SQ4     Codes = "sq4"
	SQ8     Codes = "sq8"
	PQ      Codes = "pq" // product quantization: see BuildOptions.PQ
)

// Rows names the type of the rows that an index keeps, from which distances are computed. Distances are exact for the
// rows kept, which RowsFloat16 and RowsSQ8 round.
//
// The zero value, or "auto", keeps the rows that searches walk over if there are no codes. Beside codes it keeps half
// floats if rounding to them moves hardly any row as far as its neighbours are, and float32 otherwise. New, which can't
// look at rows, keeps half floats for cosine only.
type Rows string

// The types of rows kept.
const (
	RowsFloat32 Rows = "fp32" // four bytes a value
	RowsFloat16 Rows = "fp16" // two
	// RowsSQ8 keeps a byte a value and a scale a row, beside codes: a value is off by at most 1/254 of its row's largest.
	RowsSQ8 Rows = "sq8"
	// RowsNone keeps codes alone. Distances are their estimates, for l2 and cosine at least 0; the links of new rows are
	// chosen by them, and Vectors returns what they stand for. The codes are trained once, on the first rows added: a
	// first batch that is like the rest makes better ones than a single row, and they don't follow rows that drift away.
	RowsNone Rows = "none"
)

// autoCodes picks what searches walk over where rows of a type are kept.
func autoCodes(dim int, rows vector.Type) Codes {
	if name := coding.CodesName(hnsw.AutoCodes(dim)); name != "" {
		return Codes(name)
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

// nameChoices writes the names of codes and rows as the constants have them, and refuses others.
func (o *BuildOptions) nameChoices() error {
	if o.Codes != "" {
		name, _, err := coding.ParseCodes(string(o.Codes))
		if err != nil {
			return err
		}
		o.Codes = Codes(name)
	}
	if o.Rows != "" {
		name, _, err := coding.ParseRows(string(o.Rows))
		if err != nil {
			return err
		}
		o.Rows = Rows(name)
	}
	return nil
}

// layout decides which codes searches walk over, if any, and which rows an index of dim values a row keeps.
func (o *BuildOptions) layout(dim int, halfIsSafe bool) (codes hnsw.Codes, rows vector.Type, err error) {
	if err := o.nameChoices(); err != nil {
		return hnsw.Codes{}, 0, err
	}
	rows = vector.Float32 // for the time being
	if o.Rows != "" {
		if _, rows, err = coding.ParseRows(string(o.Rows)); err != nil {
			return hnsw.Codes{}, 0, err
		}
	} else if o.Codes == Float16 {
		rows = vector.Float16
	}
	chosen := o.Codes
	if chosen == "" && (o.External || o.Distance != nil) {
		chosen = walkOver(rows)
	}
	if chosen == "" {
		chosen = autoCodes(dim, rows)
	}
	if _, codes, err = coding.ParseCodes(string(chosen)); err != nil {
		return hnsw.Codes{}, 0, err
	}
	if chosen == PQ {
		codes = o.PQ.codes()
	} else if o.PQ != (PQOptions{}) {
		return codes, 0, fmt.Errorf("searches that walk over %v read no codes of product quantization", chosen)
	}
	switch {
	case codes.Bits == 0 && o.Rows != "" && string(o.Rows) != string(chosen):
		return codes, 0, fmt.Errorf("searches that walk over %v rows have just these: rows of type %v go with codes",
			chosen, o.Rows)
	case codes.Bits != 0 && o.Rows == "" && halfIsSafe:
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
