package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/internal/documents"
)

// queryFlags say what to search for.
type queryFlags struct {
	collection.Query
	queries     string
	near        []string
	like        []string
	maxDistance float32
	filter      filterFlag
	fields      fieldFlags
	output      string
}

func (f *queryFlags) add(c *cobra.Command) {
	s := c.Flags()
	s.StringVar(&f.queries, "queries", "", "read the queries from `FILE`, in any format of vectors")
	s.StringArrayVar(&f.near, "near", nil, "find documents near the vector `JSON`, an array of numbers")
	s.StringArrayVar(&f.like, "like", nil, "find documents like that with `ID`, by its vector")
	s.StringVar(&f.Vector, "vector", "", "compare the vectors `NAME`, if documents have several")
	s.IntVarP(&f.K, "k", "k", 10, "find `N` documents for each query, or that many groups")
	s.IntVar(&f.Offset, "offset", 0, "leave out the `N` nearest of them")
	s.Float32Var(&f.maxDistance, "max-distance", 0, "leave out what is farther than `D`")
	f.filter.add(c, "find only documents that")
	s.StringVar(&f.GroupBy, "group-by", "", "find groups of documents with the same value of `KEY` in their payloads")
	s.IntVar(&f.GroupSize, "group-size", 3, "find at most `N` documents of a group")
	s.IntVar(&f.Ef, "ef", 0, "hold `N` candidates: more find more and take longer (default 100)")
	s.BoolVar(&f.Exact, "exact", false, "compute all distances")
	s.IntVar(&f.Threads, "threads", 0, "use `N` threads (default: all processors)")
	f.fields.add(c)
	s.StringVar(&f.output, "output", "",
		"write the documents to `FILE`, .jsonl, .csv, .tsv or .parquet; \"-\" is JSON lines on standard output")
}

func (f *queryFlags) check(c *cobra.Command) error {
	for _, n := range []struct {
		name         string
		value, least int
	}{
		{"k", f.K, 1}, {"ef", f.Ef, 0}, {"threads", f.Threads, 0}, {"offset", f.Offset, 0}, {"group-size", f.GroupSize, 1},
	} {
		if err := atLeast(c, n.name, n.value, n.least); err != nil {
			return err
		}
	}
	if f.queries == "" && len(f.near)+len(f.like) == 0 {
		return usagef(c, "one of --queries, --near and --like must be given")
	}
	for _, text := range f.near {
		var v []float32
		if err := json.Unmarshal([]byte(text), &v); err != nil || v == nil {
			return usagef(c, "--near %.60s is not an array of numbers such as [0.1, 0.2]", text)
		}
		f.Near = append(f.Near, v)
	}
	f.Like = parseIDs(f.like)
	if c.Flags().Changed("max-distance") {
		f.MaxDistance = &f.maxDistance
	}
	if err := f.filter.parse(c); err != nil {
		return err
	}
	f.Filter, f.Fields = f.filter.parsed, f.fields.fields()
	return nil
}

// readQueries puts the queries of the file in front of the others.
func (f *queryFlags) readQueries(ctx context.Context, s collection.Schema) error {
	if f.queries == "" {
		return nil
	}
	rows, err := readQueries(ctx, f.queries)
	if err != nil {
		return err
	}
	if v := s.Vectors[0]; len(s.Vectors) == 1 && rows.Dim() != v.Dim {
		return dimError(f.queries, rows.Dim(), v.Dim)
	}
	near := make([][]float32, rows.Rows())
	for i := range near {
		near[i] = make([]float32, rows.Dim())
		rows.Decode(i, near[i])
	}
	f.Near = append(near, f.Near...)
	return nil
}

func collectionQuery() *cobra.Command {
	var f queryFlags
	var at openFlags
	c := &cobra.Command{
		Use:   "query COLLECTION --queries FILE",
		Short: "Find the documents nearest to vectors",
		Long: `Query prints a line of JSON for each query: an array of the documents found, nearest first, with their
distances. Queries are the vectors of a file, those of --near and those of the documents of --like,
in this order. All see one state of the collection.

With --output it writes a file with a row for each document found, as export does. Its columns query and
rank count from 0 and 1.

` + aboutFilters,
		Example: `  shale collection query my.docs --queries queries.npy -k 5
  shale collection query my.docs --like a1 ` + filterExample + `
  shale collection query my.docs --queries queries.npy --output found.parquet
  shale collection query my.docs --near '[0.1, 0.2]' --group-by author --group-size 2 --include title`,
		Args: collectionArg,
	}
	f.add(c)
	at.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := cmp.Or(f.check(c), checkOutput(c, "output", f.output, f.queries)); err != nil {
			return err
		}
		return withCollection(c, &at, args[0], func(x *collection.Collection) error {
			if err := f.readQueries(c.Context(), x.Schema()); err != nil {
				return err
			}
			f.Stats = &collection.QueryStats{}
			hits, err := x.Query(c.Context(), f.Query)
			if err != nil {
				return err
			}
			tellScanned(c, args[0], f.Stats.Scanned)
			if f.output == "" {
				return printLines(c, hits)
			}
			return f.write(c, x.Schema(), hits)
		})
	}
	return c
}

// write writes the documents found to a file.
func (f *queryFlags) write(c *cobra.Command, s collection.Schema, hits [][]collection.Hit) error {
	if !f.fields.vectors {
		s.Vectors = nil
	}
	if err := documents.WriteHits(f.output, c.OutOrStdout(), s, hits); err != nil || f.output == dataname.Stdin {
		return err
	}
	n := 0
	for _, found := range hits {
		n += len(found)
	}
	return tell(c, false, nil, "%s: %s written, found by %s", f.output, many(n, "document"), many(len(hits), "query"))
}

// tellScanned says that an index would make a filter faster.
func tellScanned(c *cobra.Command, name string, fields []string) {
	if len(fields) > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "%s: payloads were read for the filter; an index of %s makes it faster: "+
			"see \"shale collection index\"\n", name, strings.Join(fields, ", "))
	}
}
