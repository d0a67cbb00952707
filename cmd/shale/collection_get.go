package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

func collectionGet() *cobra.Command {
	var fields fieldFlags
	var at openFlags
	c := &cobra.Command{
		Use:     "get COLLECTION ID...",
		Short:   "Print documents by their ids",
		Long:    "Get prints documents as JSON lines, in the order of the ids. If one of them isn't there it exits with 1.",
		Example: "  shale collection get my.docs a1 7 --with-vectors",
		Args:    collectionAndIDs,
	}
	fields.add(c)
	at.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withCollection(c, &at, args[0], func(x *collection.Collection) error {
			ids := parseIDs(args[1:])
			found, err := x.Get(c.Context(), fields.fields(), ids...)
			if err != nil {
				return err
			}
			if err := printLines(c, found); err != nil {
				return err
			}
			return missingIDs(ids, found)
		})
	}
	return c
}

// missingIDs is an error that names the IDs that weren't found.
func missingIDs(ids []collection.ID, found []collection.Document) error {
	there := map[collection.ID]bool{}
	for _, d := range found {
		there[d.ID] = true
	}
	var missing []string
	for _, id := range ids {
		if !there[id] {
			missing = append(missing, id.String())
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("there is no document with id %s", strings.Join(missing, ", "))
	}
	return nil
}
