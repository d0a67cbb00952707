package shale

import (
	"fmt"
	"strings"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/vector"
)

// Storage is what searches walk over: the rows themselves, or codes of a few bits a dimension that stand for them. What
// codes find is ranked again by the rows kept, so that distances told are those of the rows; see Keep.
type Storage uint8

// The storages. RaBitQ's codes are of rotated rows, which suits any data; the scalar ones (SQ) save the rotation of a
// query and suit data whose dimensions are alike; those of product quantization (PQ) are trained on the rows.
const (
	AutoStorage Storage = iota // what suits the rows' length and, to Build, the rows: see Suggest
	Float32                    // four bytes a value
	Float16                    // two
	RaBitQ1                    // codes of so many bits a value
	RaBitQ2
	RaBitQ3
	RaBitQ4
	RaBitQ8
	SQ4
	SQ8
	PQ // product quantization: see BuildOptions.PQ
)

// storages holds each storage's name and codes.
var storages = [...]struct {
	name  string
	codes hnsw.Codes
}{
	AutoStorage: {name: "auto"},
	Float32:     {name: "fp32"},
	Float16:     {name: "fp16"},
	RaBitQ1:     {"rabitq1", hnsw.Codes{Kind: quant.RaBitQ, Bits: 1}},
	RaBitQ2:     {"rabitq2", hnsw.Codes{Kind: quant.RaBitQ, Bits: 2}},
	RaBitQ3:     {"rabitq3", hnsw.Codes{Kind: quant.RaBitQ, Bits: 3}},
	RaBitQ4:     {"rabitq4", hnsw.Codes{Kind: quant.RaBitQ, Bits: 4}},
	RaBitQ8:     {"rabitq8", hnsw.Codes{Kind: quant.RaBitQ, Bits: 8}},
	SQ4:         {"sq4", hnsw.Codes{Kind: quant.Scalar, Bits: 4}},
	SQ8:         {"sq8", hnsw.Codes{Kind: quant.Scalar, Bits: 8}},
	PQ:          {"pq", hnsw.Codes{Kind: quant.Product, Bits: 8}},
}

// Storages lists the names that ParseStorage reads.
func Storages() []string {
	names := make([]string, len(storages))
	for i, s := range storages {
		names[i] = s.name
	}
	return names
}

func (s Storage) String() string {
	if int(s) < len(storages) {
		return storages[s].name
	}
	return fmt.Sprintf("Storage(%d)", uint8(s))
}

// ParseStorage reads a storage's name: auto, fp32, fp16, rabitq1 to rabitq4, rabitq8, sq4, sq8 or pq.
func ParseStorage(name string) (Storage, error) {
	for i, s := range storages {
		if strings.EqualFold(name, s.name) {
			return Storage(i), nil
		}
	}
	return 0, unknown("storage", name, Storages(), "rabitq5", "rabitq6", "rabitq7")
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

// Keep is the type of the rows that distances told are computed from. They are exact for the rows kept, which KeepFloat16
// and KeepSQ8 round.
type Keep uint8

// The types of rows kept.
const (
	// AutoKeep keeps what searches walk over, where those are rows. Beside codes it keeps rows in half precision where
	// HalfIsSafe, else in full. New, which knows no rows, takes only those of cosine for safe.
	AutoKeep    Keep = iota
	KeepFloat32      // four bytes a value
	KeepFloat16      // two
	// KeepSQ8 keeps a byte a value and a scale a row, beside codes: a value is off by at most 1/254 of its row's largest.
	KeepSQ8
	// KeepNone keeps codes alone. Distances told are their estimates, for l2 and cosine at least 0; the links of new rows
	// are chosen by them, and Graph().Vector gives what a code stands for. The codes are trained once, on the first rows
	// added: a first batch that is like the rest makes better ones than a single row, and they don't follow rows that
	// drift away.
	KeepNone
)

var keeps = [...]string{"auto", "fp32", "fp16", "sq8", "none"}

// types are those of the rows that each asks for.
var types = map[Keep]vector.Type{
	KeepFloat32: vector.Float32, KeepFloat16: vector.Float16, KeepSQ8: vector.ScaledInt8, KeepNone: vector.NoRows,
}

// Keeps lists the names that ParseKeep reads.
func Keeps() []string { return keeps[:] }

func (k Keep) String() string {
	if int(k) < len(keeps) {
		return keeps[k]
	}
	return fmt.Sprintf("Keep(%d)", uint8(k))
}

// ParseKeep reads auto, fp32, fp16, sq8 or none.
func ParseKeep(name string) (Keep, error) {
	for i, k := range keeps {
		if strings.EqualFold(name, k) {
			return Keep(i), nil
		}
	}
	return 0, unknown("keep", name, Keeps())
}

const (
	// shortRow is the length of float32 rows in bytes up to which reading one costs hardly more than reading its code.
	shortRow = 192
	line     = 64 // bytes of a cache line
)

// autoStorage picks what searches walk over where rows of a type are kept.
//
// A walk waits for memory, and a code of one or two cache lines costs about one wait: so the most bits that fit two lines.
// Longer rows get 2 bits: with the re-rank they keep the recall of a walk over rows, and more bits would only add lines.
// (On 128 dimensions 3 bits, in one line, are a quarter slower than 4, in two: they are taken apart in two steps, and more
// candidates have to be ranked by their rows.)
func autoStorage(dim int, rows vector.Type) Storage {
	if 4*dim <= shortRow || dim > quant.MaxDim {
		return walkOver(rows)
	}
	for _, s := range []Storage{RaBitQ4, RaBitQ3} {
		if quant.Stride(dim, storages[s].codes.Bits) <= 2*line {
			return s
		}
	}
	return RaBitQ2
}

// walkOver is the storage that is rows of a type, or the most like them where none are walked over.
func walkOver(rows vector.Type) Storage {
	switch rows {
	case vector.Float16:
		return Float16
	case vector.ScaledInt8, vector.NoRows:
		return RaBitQ8
	}
	return Float32
}

// AutoCodes are the codes that suit rows of dim float32 values kept in full; none where walks read such rows as fast.
func AutoCodes(dim int) hnsw.Codes { return storages[autoStorage(dim, vector.Float32)].codes }

// layout decides which codes searches walk over, if any, and which rows an index of dim values a row keeps.
func (o *BuildOptions) layout(dim int, halfIsSafe bool) (hnsw.Codes, vector.Type, error) {
	if int(o.Storage) >= len(storages) || int(o.Keep) >= len(keeps) {
		return hnsw.Codes{}, 0, fmt.Errorf("there is no %v, or no %v", o.Storage, o.Keep)
	}
	rows := types[o.Keep] // AutoKeep: fp32 for the time being
	if o.Keep == AutoKeep && o.Storage == Float16 {
		rows = vector.Float16
	}
	storage := o.Storage
	if storage == AutoStorage && o.GraphOnly {
		storage = walkOver(rows)
	}
	if storage == AutoStorage {
		storage = autoStorage(dim, rows)
	}
	codes := storages[storage].codes
	if storage == PQ {
		codes = o.PQ.codes()
	} else if o.PQ != (PQOptions{}) {
		return codes, 0, fmt.Errorf("searches that walk over %v read no codes of product quantization", storage)
	}
	switch {
	case codes.Bits == 0 && o.Keep != AutoKeep && o.Keep.String() != storage.String():
		return codes, 0, fmt.Errorf("searches that walk over %v rows keep just these: keep %v goes with codes", storage, o.Keep)
	case codes.Bits != 0 && o.Keep == AutoKeep && halfIsSafe:
		rows = vector.Float16
	}
	return codes, rows, nil
}

// hasCodes reports whether searches with a storage walk over codes, of rows of dim values.
func hasCodes(s Storage, dim int) (bool, error) {
	o := BuildOptions{Storage: s}
	codes, _, err := o.layout(dim, false)
	return codes.Bits != 0, err
}

// storageOf tells what an index walks over and which rows it keeps.
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
