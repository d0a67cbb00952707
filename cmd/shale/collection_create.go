package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/collection"
)

func collectionCreate() *cobra.Command {
	var v collection.Vector
	var metric string
	var codes codesFlags
	c := &cobra.Command{
		Use:   "create COLLECTION --dim N",
		Short: "Make an empty collection",
		Long: `Create makes a collection of documents whose vectors have a number of dimensions. The metric can't be
changed later.`,
		Example: "  shale collection create my.docs --dim 384 --metric cosine",
		Args:    collectionArg,
	}
	c.Flags().IntVar(&v.Dim, "dim", 0, "vectors have `N` values")
	c.Flags().StringVar(&metric, "metric", "cosine", "compare vectors by l2, ip or cosine")
	codes.add(c, "walk over `CODES`: auto, fp32, fp16, rabitq1 … rabitq4, rabitq8, sq4 or sq8",
		"keep `ROWS` for exact distances: auto, fp32, fp16, sq8 or none")
	required(c, "dim")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if v.Metric, err = parseMetric(c, metric); err != nil {
			return err
		}
		if err := atLeast(c, "dim", v.Dim, 1); err != nil {
			return err
		}
		var o shale.BuildOptions
		if err := codes.options(c, &o); err != nil {
			return err
		}
		v.Codes, v.Rows = o.Codes, o.Rows
		return collection.Create(args[0], collection.Schema{Vectors: []collection.Vector{v}})
	}
	return c
}
