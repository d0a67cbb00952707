package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/internal/collection"
)

func collectionInspect() *cobra.Command {
	var wait waitFlag
	var asJSON bool
	c := &cobra.Command{
		Use:     "inspect COLLECTION",
		Short:   "Tell what a collection holds",
		Long:    "Inspect tells the vectors of a collection, the number of its documents, and its segments.",
		Example: "  shale collection inspect my.docs --json",
		Args:    collectionArg,
	}
	jsonFlag(c, &asJSON)
	wait.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withCollection(c, &wait, args[0], func(x *collection.Collection) error {
			info, err := x.Info()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), info)
			}
			p := &printer{w: c.OutOrStdout()}
			p.printf("%-16s %s\n%-16s %s\n", "collection", args[0], "documents", count(info.Documents))
			for _, v := range x.Schema().Vectors {
				p.printf("%-16s %d values, metric %s\n", "vector", v.Dim, v.Metric)
			}
			p.printf("%-16s %s, in memory\n", "growing", many(info.Growing, "row"))
			for _, s := range info.Segments {
				p.printf("%-16s %d: %s, %s of them dead\n", "segment", s.Number, many(s.Rows[0], "row"), count(s.Dead))
			}
			return p.err
		})
	}
	return c
}
