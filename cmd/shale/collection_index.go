package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

func collectionIndex() *cobra.Command {
	var at openFlags
	var create, drop []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "index COLLECTION",
		Short: "List, make and drop indexes of payloads",
		Long: `Index makes and drops indexes of fields of payloads, and then lists those that there are. Filters of a
field without an index work, but read payloads.

The kinds are keyword (texts), integer, float, bool, datetime (RFC 3339), uuid, and text (the words of
texts). A field is a key such as city, address.city, or tags[].name for the elements of an array.`,
		Example: `  shale collection index my.docs
  shale collection index my.docs --create city=keyword --create price=float
  shale collection index my.docs --drop price=float`,
		Args: collectionArg,
	}
	c.Flags().StringArrayVar(&create, "create", nil, "make an index of a field, as `FIELD=KIND`")
	c.Flags().StringArrayVar(&drop, "drop", nil, "drop the index of a field, as `FIELD=KIND`")
	jsonFlag(c, &asJSON)
	at.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		made, err := parseIndexes(c, "create", create)
		if err != nil {
			return err
		}
		dropped, err := parseIndexes(c, "drop", drop)
		if err != nil {
			return err
		}
		return withCollection(c, &at, args[0], func(x *collection.Collection) error {
			for _, p := range dropped {
				if _, err := x.DropPayloadIndex(p); err != nil {
					return err
				}
			}
			if err := createIndexes(c, x, made); err != nil {
				return err
			}
			indexes, err := x.PayloadIndexes()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), map[string]any{"indexes": indexes})
			}
			p := &printer{w: c.OutOrStdout()}
			for _, x := range indexes {
				p.printf("%s=%s\n", x.Field, x.Kind)
			}
			return p.err
		})
	}
	return c
}

// createIndexes makes the indexes that aren't there yet.
func createIndexes(c *cobra.Command, x *collection.Collection, indexes []collection.PayloadIndex) error {
	for _, p := range indexes {
		if err := x.CreatePayloadIndex(c.Context(), p); err != nil {
			return err
		}
	}
	return nil
}
