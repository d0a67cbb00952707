// Package coding has the names of the codes that searches walk over, and of the rows that an index keeps.
package coding

import (
	"fmt"
	"strings"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/vector"
)

// Auto leaves a choice to the rows. It is read as "", the zero value of an option.
const Auto = "auto"

// codes holds the names of codes and the configuration that graphs get. fp32 and fp16 are rows, and have no codes.
var codes = []struct {
	name  string
	codes hnsw.Codes
}{
	{name: Auto},
	{name: "fp32"},
	{name: "fp16"},
	{"rabitq1", hnsw.Codes{Kind: quant.RaBitQ, Bits: 1}},
	{"rabitq2", hnsw.Codes{Kind: quant.RaBitQ, Bits: 2}},
	{"rabitq3", hnsw.Codes{Kind: quant.RaBitQ, Bits: 3}},
	{"rabitq4", hnsw.Codes{Kind: quant.RaBitQ, Bits: 4}},
	{"rabitq8", hnsw.Codes{Kind: quant.RaBitQ, Bits: 8}},
	{"sq4", hnsw.Codes{Kind: quant.Scalar, Bits: 4}},
	{"sq8", hnsw.Codes{Kind: quant.Scalar, Bits: 8}},
	{"pq", hnsw.Codes{Kind: quant.Product, Bits: 8}},
}

// rows holds the names of types of rows.
var rows = []struct {
	name string
	typ  vector.Type
}{
	{name: Auto},
	{"fp32", vector.Float32},
	{"fp16", vector.Float16},
	{"sq8", rowtype.ScaledInt8},
	{"none", rowtype.NoRows},
}

// CodesNames returns the names that ParseCodes reads.
func CodesNames() []string {
	names := make([]string, len(codes))
	for i, c := range codes {
		names[i] = c.name
	}
	return names
}

// RowsNames returns the names that ParseRows reads.
func RowsNames() []string {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.name
	}
	return names
}

// ParseCodes reads a name of codes in any case: auto, fp32, fp16, rabitq1 to rabitq4, rabitq8, sq4, sq8 or pq. It
// returns the name in lower case, or "" for auto, and the configuration of a graph with such codes.
func ParseCodes(name string) (string, hnsw.Codes, error) {
	for _, c := range codes {
		if strings.EqualFold(name, c.name) {
			return optional(c.name), c.codes, nil
		}
	}
	return "", hnsw.Codes{}, unknown("codes", name, CodesNames(), "rabitq5", "rabitq6", "rabitq7")
}

// ParseRows reads a name of rows in any case: auto, fp32, fp16, sq8 or none. It returns the name in lower case, or ""
// for auto, and the type of such rows.
func ParseRows(name string) (string, vector.Type, error) {
	for _, r := range rows {
		if strings.EqualFold(name, r.name) {
			return optional(r.name), r.typ, nil
		}
	}
	return "", 0, unknown("rows", name, RowsNames())
}

func optional(name string) string {
	if name == Auto {
		return ""
	}
	return name
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

// CodesName returns the name of codes, or "" if no name stands for them.
func CodesName(c hnsw.Codes) string {
	for _, known := range codes {
		if known.codes == c && c.Bits > 0 {
			return known.name
		}
	}
	return ""
}

// Names returns the names of the codes that searches of a graph walk over and of the rows that it keeps. Without codes,
// searches walk over the rows.
func Names(c hnsw.Config) (codes, rows string) {
	rows = c.Storage.String()
	switch {
	case c.Codes.Bits == 0:
		return rows, rows
	case c.Codes.Kind == quant.Product:
		return "pq", rows
	}
	return fmt.Sprintf("%v%d", c.Codes.Kind, c.Codes.Bits), rows
}
