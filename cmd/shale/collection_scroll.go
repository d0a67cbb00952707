package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

func collectionScroll() *cobra.Command {
	var fields fieldFlags
	var filter filterFlag
	var at openFlags
	var after string
	var limit int
	c := &cobra.Command{
		Use:   "scroll COLLECTION",
		Short: "Print documents in the order of ids",
		Long: `Scroll prints documents as JSON lines, which import reads: numbers first, then UUIDs, then other strings.
To go on it is given the last id as --after.

` + aboutFilters,
		Example: `  shale collection scroll my.docs --limit 1000 --with-vectors
  shale collection scroll my.docs --after a1 ` + filterExample,
		Args: collectionArg,
	}
	c.Flags().StringVar(&after, "after", "", "start after the document with `ID`")
	c.Flags().IntVar(&limit, "limit", 100, "print at most `N` documents")
	filter.add(c, "print only documents that")
	fields.add(c)
	at.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := atLeast(c, "limit", limit, 1); err != nil {
			return err
		}
		if err := filter.parse(c); err != nil {
			return err
		}
		o := collection.ScrollOptions{Limit: limit, Filter: filter.parsed, Fields: fields.fields()}
		if c.Flags().Changed("after") {
			id := parseID(after)
			o.After = &id
		}
		return withCollection(c, &at, args[0], func(x *collection.Collection) error {
			found, err := x.Scroll(c.Context(), o)
			if err != nil {
				return err
			}
			return printLines(c, found)
		})
	}
	return c
}
