package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

// errCollectionDamaged makes the exit code after the problems were told.
var errCollectionDamaged = errors.New("the collection is damaged")

func collectionVerify() *cobra.Command {
	var at openFlags
	c := &cobra.Command{
		Use:   "verify COLLECTION",
		Short: "Check that a collection is not damaged",
		Long: `Verify reads all of a collection and checks that its parts are in order and agree. It exits with 1 if the
collection is damaged, and then tells what is wrong.`,
		Example: "  shale collection verify my.docs",
		Args:    collectionArg,
	}
	at.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o, err := at.options(c, args[0])
		if err != nil {
			return err
		}
		r, err := collection.Verify(c.Context(), args[0], o)
		if err != nil {
			return err
		}
		p := &printer{w: c.OutOrStdout()}
		for _, problem := range r.Problems {
			p.printf("%s\n", problem)
		}
		if len(r.Problems) > 0 {
			return errors.Join(p.err, errCollectionDamaged)
		}
		return tell(c, false, nil, "%s: in order, %s", args[0], many(r.Documents, "document"))
	}
	return c
}
