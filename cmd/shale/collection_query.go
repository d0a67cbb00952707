package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/internal/collection"
)

func collectionQuery() *cobra.Command {
	var fields fieldFlags
	var wait waitFlag
	var queries string
	q := collection.Query{}
	c := &cobra.Command{
		Use:   "query COLLECTION --queries FILE",
		Short: "Find the documents nearest to vectors",
		Long: `Query prints a line of JSON for each query: an array of the documents found, nearest first, with their
distances.`,
		Example: "  shale collection query my.docs --queries queries.npy -k 5",
		Args:    collectionArg,
	}
	c.Flags().StringVar(&queries, "queries", "", "read the queries from `FILE`, in any format of vectors")
	c.Flags().IntVarP(&q.K, "k", "k", 10, "find `N` documents for each query")
	c.Flags().IntVar(&q.Ef, "ef", 0, "hold `N` candidates: more find more and take longer (default 100)")
	c.Flags().BoolVar(&q.Exact, "exact", false, "compute all distances")
	c.Flags().IntVar(&q.Threads, "threads", 0, "use `N` threads (default: all processors)")
	fields.add(c)
	wait.add(c)
	required(c, "queries")
	c.RunE = func(c *cobra.Command, args []string) error {
		for _, f := range []struct {
			name         string
			value, least int
		}{{"k", q.K, 1}, {"ef", q.Ef, 0}, {"threads", q.Threads, 0}} {
			if err := atLeast(c, f.name, f.value, f.least); err != nil {
				return err
			}
		}
		q.Fields = fields.fields()
		return withCollection(c, &wait, args[0], func(x *collection.Collection) error {
			rows, err := readQueriesOf(c.Context(), queries, x.Schema().Vectors[0].Dim)
			if err != nil {
				return err
			}
			for i := range rows.Rows() {
				q.Near = append(q.Near, make([]float32, rows.Dim()))
				rows.Decode(i, q.Near[i])
			}
			hits, err := x.Query(c.Context(), q)
			if err != nil {
				return err
			}
			return printLines(c, hits)
		})
	}
	return c
}
