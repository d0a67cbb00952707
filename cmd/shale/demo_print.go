package main

import (
	"fmt"
	"io"
)

// print tells the report to a person.
func (r *demoReport) print(w io.Writer) error {
	p := &printer{w: w}
	p.printf("WordNet's dictionary: %s entries, each embedded in %d dimensions (all-MiniLM-L6-v2).\n",
		count(r.Rows), r.Dim)
	p.printf("%s others were left out of the index. What lies nearest to a few of them:\n", count(r.Queries))
	for _, a := range r.Examples {
		p.printf("\n%s\n", clip(a.Query, 110))
		for _, n := range a.Nearest {
			p.printf("  %.3f  %s\n", n.Distance, clip(n.Gloss, 100))
		}
	}
	p.printf("\nThe index was built in %.2f s; it takes %s in memory and %s on disk.\n", r.BuildTime,
		size(r.MemoryBytes), size(r.FileBytes))
	p.printf("Searches find candidates by codes (%s) and rank the best by their rows (%s).\n", r.Storage, r.Keep)
	p.printf("Recall of the %d true nearest, over all %s queries, one thread:\n\n", demoK, count(r.Queries))
	printPoints(p, r.Points, demoK)
	p.printf("\nWordNet 3.0 Copyright 2006 by Princeton University. All rights reserved.\n")
	return p.err
}

// clip shortens s to n characters.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return fmt.Sprintf("%s…", string(r[:n-1]))
}
