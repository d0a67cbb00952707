package collection

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/vector"
)

// Vector describes one of the vectors that each document may have. The zero value of a field but Dim means its default.
type Vector struct {
	Name           string // may be empty if it is the only one
	Dim            int
	Metric         vector.Metric // default L2
	Codes          shale.Codes   // that searches walk over; default: those that suit its dimensions
	Rows           shale.Rows    // that are kept for exact distances; default: as BuildOptions.Rows
	M              int           // links of a document; default 16
	EfConstruction int           // candidates for them; default 200
}

// Schema says what the documents of a collection hold beside an ID and a payload.
type Schema struct {
	Vectors []Vector
	Indexes []PayloadIndex // of a new collection; those of a collection change, see Collection.PayloadIndexes
}

const (
	formatVersion  = 1
	mostVectors    = 64 // of a schema: a document's are bits of a word
	mostNameBytes  = 255
	mostDimensions = 1 << 16
)

// check returns an error if no collection can have the schema.
func (s Schema) check() error {
	if len(s.Vectors) == 0 || len(s.Vectors) > mostVectors {
		return fmt.Errorf("the schema has %d vectors, 1 to %d are allowed", len(s.Vectors), mostVectors)
	}
	names := map[string]bool{}
	for _, v := range s.Vectors {
		if err := v.check(); err != nil {
			return fmt.Errorf("vector %q: %w", v.Name, err)
		}
		if names[v.Name] {
			return fmt.Errorf("two vectors have the name %q", v.Name)
		}
		names[v.Name] = true
	}
	if names[""] && len(names) > 1 {
		return errors.New("a vector has no name: only a collection's single vector may have none")
	}
	_, err := checkIndexes(s.Indexes)
	return err
}

func (v Vector) check() error {
	switch {
	case len(v.Name) > mostNameBytes || !utf8.ValidString(v.Name):
		return fmt.Errorf("the name must be UTF-8 of at most %d bytes", mostNameBytes)
	case v.Dim < 1 || v.Dim > mostDimensions:
		return fmt.Errorf("it has %d dimensions, 1 to %d are allowed", v.Dim, mostDimensions)
	}
	x, err := shale.New(v.Dim, v.buildOptions())
	if err != nil {
		return err
	}
	return x.Close()
}

// buildOptions returns those of an index of such vectors.
func (v Vector) buildOptions() shale.BuildOptions {
	return shale.BuildOptions{
		Metric: v.Metric, Codes: v.Codes, Rows: v.Rows, M: v.M, EfConstruction: v.EfConstruction,
	}
}

// find returns the place of a vector in the schema. An empty name means the only vector.
func (s Schema) find(name string) (int, error) {
	for i, v := range s.Vectors {
		if v.Name == name || name == "" && len(s.Vectors) == 1 {
			return i, nil
		}
	}
	names := make([]string, len(s.Vectors))
	for i, v := range s.Vectors {
		names[i] = v.Name
	}
	return 0, invalidf("there is no vector %q, the collection has %q", name, names)
}

// schemaRecord is a Schema as the store holds it.
type schemaRecord struct {
	Version int            `json:"version"`
	Vectors []vectorRecord `json:"vectors"`
}

type vectorRecord struct {
	Name           string `json:"name"`
	Dim            int    `json:"dim"`
	Metric         string `json:"metric"`
	Codes          string `json:"codes,omitempty"`
	Rows           string `json:"rows,omitempty"`
	M              int    `json:"m,omitempty"`
	EfConstruction int    `json:"ef_construction,omitempty"`
}

func (s Schema) encode() ([]byte, error) {
	r := schemaRecord{Version: formatVersion}
	for _, v := range s.Vectors {
		r.Vectors = append(r.Vectors, vectorRecord{
			v.Name, v.Dim, v.Metric.String(), string(v.Codes), string(v.Rows), v.M, v.EfConstruction,
		})
	}
	return json.Marshal(r)
}

// decodeSchema reads a schema and checks it.
func decodeSchema(b []byte) (s Schema, err error) {
	var r schemaRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return s, err
	}
	if r.Version != formatVersion {
		return s, fmt.Errorf("the format version is %d, and this version of Shale reads %d", r.Version, formatVersion)
	}
	for _, v := range r.Vectors {
		metric, err := vector.ParseMetric(v.Metric)
		if err != nil {
			return s, err
		}
		s.Vectors = append(s.Vectors, Vector{
			v.Name, v.Dim, metric, shale.Codes(v.Codes), shale.Rows(v.Rows), v.M, v.EfConstruction,
		})
	}
	if err := format.CheckMachine(); err != nil {
		return s, err
	}
	return s, s.check()
}
