package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/internal/collection"
)

// fieldFlags say what to print of documents.
type fieldFlags struct{ noPayload, vectors bool }

func (f *fieldFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.vectors, "with-vectors", false, "print vectors too")
	c.Flags().BoolVar(&f.noPayload, "without-payload", false, "print ids alone, or ids and vectors")
}

func (f *fieldFlags) fields() collection.Fields {
	return collection.Fields{Payload: !f.noPayload, Vectors: f.vectors}
}

func collectionGet() *cobra.Command {
	var fields fieldFlags
	var wait waitFlag
	c := &cobra.Command{
		Use:     "get COLLECTION ID...",
		Short:   "Print documents by their ids",
		Long:    "Get prints documents as JSON lines, in the order of the ids. If one of them isn't there it exits with 1.",
		Example: "  shale collection get my.docs a1 7 --with-vectors",
		Args:    collectionAndIDs,
	}
	fields.add(c)
	wait.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withCollection(c, &wait, args[0], func(x *collection.Collection) error {
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

func collectionScroll() *cobra.Command {
	var fields fieldFlags
	var wait waitFlag
	var after string
	var limit int
	c := &cobra.Command{
		Use:   "scroll COLLECTION",
		Short: "Print documents in the order of ids",
		Long: `Scroll prints documents as JSON lines, which import reads: numbers first, then UUIDs, then other strings.
To go on it is given the last id as --after.`,
		Example: `  shale collection scroll my.docs --limit 1000 --with-vectors
  shale collection scroll my.docs --after a1`,
		Args: collectionArg,
	}
	c.Flags().StringVar(&after, "after", "", "start after the document with `ID`")
	c.Flags().IntVar(&limit, "limit", 100, "print at most `N` documents")
	fields.add(c)
	wait.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := atLeast(c, "limit", limit, 1); err != nil {
			return err
		}
		o := collection.ScrollOptions{Limit: limit, Fields: fields.fields()}
		if c.Flags().Changed("after") {
			id := parseID(after)
			o.After = &id
		}
		return withCollection(c, &wait, args[0], func(x *collection.Collection) error {
			found, err := x.Scroll(c.Context(), o)
			if err != nil {
				return err
			}
			return printLines(c, found)
		})
	}
	return c
}

func collectionCount() *cobra.Command {
	var wait waitFlag
	c := &cobra.Command{
		Use:     "count COLLECTION",
		Short:   "Print the number of documents",
		Long:    "Count prints how many documents there are.",
		Example: "  shale collection count my.docs",
		Args:    collectionArg,
	}
	wait.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withCollection(c, &wait, args[0], func(x *collection.Collection) error {
			n, err := x.Count()
			if err != nil {
				return err
			}
			return tell(c, false, nil, "%d", n)
		})
	}
	return c
}

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
