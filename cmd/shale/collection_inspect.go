package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

func collectionInspect() *cobra.Command {
	var at openFlags
	var asJSON bool
	c := &cobra.Command{
		Use:     "inspect COLLECTION",
		Short:   "Tell what a collection holds",
		Long:    "Inspect tells the vectors of a collection, its indexes, the number of its documents, and its segments.",
		Example: "  shale collection inspect my.docs --json",
		Args:    collectionArg,
	}
	jsonFlag(c, &asJSON)
	at.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withCollection(c, &at, args[0], func(x *collection.Collection) error {
			r, err := inspectCollection(args[0], x)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), r)
			}
			return r.print(&printer{w: c.OutOrStdout()})
		})
	}
	return c
}

// collectionReport describes a collection.
type collectionReport struct {
	Collection string                    `json:"collection"`
	Vectors    []vectorReport            `json:"vectors"`
	Indexes    []collection.PayloadIndex `json:"indexes"`
	collection.Info
}

// vectorReport describes one of the vectors of documents.
type vectorReport struct {
	Name   string `json:"name"`
	Dim    int    `json:"dim"`
	Metric string `json:"metric"`
	Codes  string `json:"codes,omitempty"` // empty: those that suit the dimensions
	Rows   string `json:"rows,omitempty"`
}

func inspectCollection(name string, x *collection.Collection) (r *collectionReport, err error) {
	r = &collectionReport{Collection: name, Indexes: []collection.PayloadIndex{}}
	for _, v := range x.Schema().Vectors {
		r.Vectors = append(r.Vectors, vectorReport{v.Name, v.Dim, v.Metric.String(), string(v.Codes), string(v.Rows)})
	}
	indexes, err := x.PayloadIndexes()
	if err != nil {
		return nil, err
	}
	r.Indexes = append(r.Indexes, indexes...)
	r.Info, err = x.Info()
	return r, err
}

func (r *collectionReport) print(p *printer) error {
	p.printf("%-16s %s\n%-16s %s\n", "collection", r.Collection, "documents", count(r.Documents))
	for _, v := range r.Vectors {
		name := "vector"
		if v.Name != "" {
			name += " " + v.Name
		}
		p.printf("%-16s %d values, metric %s\n", name, v.Dim, v.Metric)
	}
	for _, x := range r.Indexes {
		p.printf("%-16s %s, %s\n", "index", x.Field, x.Kind)
	}
	p.printf("%-16s %s, in memory\n", "growing", many(r.Growing, "row"))
	for _, s := range r.Segments {
		rows := 0
		for _, n := range s.Rows {
			rows += n
		}
		p.printf("%-16s %d: %s, %s of its documents dead\n", "segment", s.Number, many(rows, "row"), count(s.Dead))
	}
	if m := r.Merging; m != nil {
		p.printf("%-16s segments %v, %s\n", "merging", m.Segments, many(m.Rows, "row"))
	}
	if r.Problem != "" {
		p.printf("%-16s %s\n", "problem", r.Problem)
	}
	return p.err
}
