package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/documents"
)

func collectionExport() *cobra.Command {
	var output string
	var noPayload, noVectors bool
	var include, exclude []string
	var filter filterFlag
	var at openFlags
	c := &cobra.Command{
		Use:   "export COLLECTION --output FILE",
		Short: "Write documents to a file",
		Long: `Export writes documents to a file, in the order of ids: JSON lines (.jsonl, or "-" for standard output),
.csv, .tsv or .parquet. All of them are of one state of the collection. The file appears whole or not
at all.

JSON lines hold documents as they are, and import reads all of it again. Tables have a column for the
id, one for each vector, and one for each key of payloads. A column whose values differ in type holds
JSON, and so do those of arrays and objects; a key whose value is null is left out.

` + aboutFilters,
		Example: `  shale collection export my.docs --output docs.parquet
  shale collection export my.docs --output london.csv --without-vectors ` + filterExample + `
  shale collection export my.docs --output - | gzip > docs.jsonl.gz`,
		Args: collectionArg,
	}
	s := c.Flags()
	s.StringVar(&output, "output", "", "write to `FILE`")
	s.BoolVar(&noVectors, "without-vectors", false, "write no vectors")
	s.BoolVar(&noPayload, "without-payload", false, "write no payloads")
	s.StringArrayVar(&include, "include", nil, "write only the key `KEY` of payloads, as in city or address.city")
	s.StringArrayVar(&exclude, "exclude", nil, "don't write the key `KEY` of payloads")
	filter.add(c, "write only documents that")
	at.add(c)
	required(c, "output")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := filter.parse(c); err != nil {
			return err
		}
		if err := checkOutput(c, "output", output); err != nil {
			return err
		}
		return withCollection(c, &at, args[0], func(x *collection.Collection) error {
			schema := x.Schema()
			if noVectors {
				schema.Vectors = nil
			}
			o := collection.WalkOptions{Filter: filter.parsed, Fields: collection.Fields{
				Payload: !noPayload, Vectors: !noVectors, Include: include, Exclude: exclude,
			}}
			n := 0
			from := func(passes ...func(collection.Document) error) error {
				last := passes[len(passes)-1]
				passes[len(passes)-1] = func(d collection.Document) error { n++; return last(d) }
				return x.Walk(c.Context(), o, passes...)
			}
			if err := documents.Write(output, c.OutOrStdout(), schema, from); err != nil {
				return err
			}
			if output == "-" {
				return nil
			}
			return tell(c, false, nil, "%s: %s written", output, many(n, "document"))
		})
	}
	return c
}
