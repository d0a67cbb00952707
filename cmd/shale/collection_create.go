package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/collection"
)

// createFlags describe a new collection.
type createFlags struct {
	dim            int
	vectors        []string
	metric         string
	codes          codesFlags
	m              int
	efConstruction int
	indexes        []string
}

func collectionCreate() *cobra.Command {
	var f createFlags
	c := &cobra.Command{
		Use:   "create COLLECTION --dim N",
		Short: "Make an empty collection",
		Long: `Create makes a collection of documents whose vectors have a number of dimensions. The metric can't be
changed later.

Documents may have several vectors with names, all of which have the same metric and codes. A
document may lack some of them.

Payload indexes make filters fast. They can be made and dropped later: see "shale collection index".`,
		Example: `  shale collection create my.docs --dim 384 --metric cosine --index city=keyword --index price=float
  shale collection create my.docs --vector title=384 --vector image=512`,
		Args: collectionArg,
	}
	s := c.Flags()
	s.IntVar(&f.dim, "dim", 0, "vectors have `N` values")
	s.StringArrayVar(&f.vectors, "vector", nil, "documents may have a vector NAME of N values, as `NAME=N`")
	s.StringVar(&f.metric, "metric", "cosine", "compare vectors by l2, ip or cosine")
	s.StringArrayVar(&f.indexes, "index", nil,
		"index a field of payloads, as `FIELD=KIND` with a kind of keyword, integer, float, bool, datetime, uuid or text")
	f.codes.add(c, "walk over `CODES`: auto, fp32, fp16, rabitq1 … rabitq4, rabitq8, sq4 or sq8",
		"keep `ROWS` for exact distances: auto, fp32, fp16, sq8 or none")
	s.IntVar(&f.m, "m", 0, "link each vector to `M` others, twice as many in level 0 (default 16)")
	s.IntVar(&f.efConstruction, "ef-construction", 0, "hold `N` candidates while a vector is added (default 200)")
	c.RunE = func(c *cobra.Command, args []string) error {
		schema, err := f.schema(c)
		if err != nil {
			return err
		}
		return collection.Create(args[0], schema)
	}
	return c
}

func (f *createFlags) schema(c *cobra.Command) (s collection.Schema, err error) {
	if c.Flags().Changed("dim") == (len(f.vectors) > 0) {
		return s, usagef(c, "one of --dim and --vector must be given")
	}
	v := collection.Vector{Dim: f.dim, M: f.m, EfConstruction: f.efConstruction}
	if v.Metric, err = parseMetric(c, f.metric); err != nil {
		return s, err
	}
	var o shale.BuildOptions
	if err := f.codes.options(c, &o); err != nil {
		return s, err
	}
	v.Codes, v.Rows = o.Codes, o.Rows
	if s.Indexes, err = parseIndexes(c, "index", f.indexes); err != nil {
		return s, err
	}
	if len(f.vectors) == 0 {
		s.Vectors = []collection.Vector{v}
		return s, atLeast(c, "dim", f.dim, 1)
	}
	for _, text := range f.vectors {
		name, dim, _ := strings.Cut(text, "=")
		if v.Dim, err = strconv.Atoi(dim); err != nil || v.Dim < 1 || name == "" {
			return s, usagef(c, "--vector %s is not NAME=N, as in title=384", text)
		}
		v.Name = name
		s.Vectors = append(s.Vectors, v)
	}
	return s, nil
}
