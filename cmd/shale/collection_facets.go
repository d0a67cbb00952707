package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

func collectionFacets() *cobra.Command {
	var o collection.FacetOptions
	var filter filterFlag
	var at openFlags
	c := &cobra.Command{
		Use:   "facets COLLECTION --field KEY",
		Short: "Count the values of a field of payloads",
		Long: `Facets prints the most frequent texts, numbers and booleans of a field, a line of JSON each, with the
exact number of documents that have them.

` + aboutFilters,
		Example: `  shale collection facets my.docs --field city
  shale collection facets my.docs --field tags --limit 100 --filter '{"price": {"$lt": 20}}'`,
		Args: collectionArg,
	}
	c.Flags().StringVar(&o.Field, "field", "", "count the values of `KEY`, such as city or address.city")
	c.Flags().IntVar(&o.Limit, "limit", 10, "print at most `N` values")
	filter.add(c, "count only documents that")
	at.add(c)
	required(c, "field")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := atLeast(c, "limit", o.Limit, 1); err != nil {
			return err
		}
		if err := filter.parse(c); err != nil {
			return err
		}
		o.Filter = filter.parsed
		return withCollection(c, &at, args[0], func(x *collection.Collection) error {
			found, err := x.Facets(c.Context(), o)
			if err != nil {
				return err
			}
			return printLines(c, found)
		})
	}
	return c
}
