package main

import (
	"fmt"
	"io"

	"github.com/shale-search/shale/internal/plot"
)

// evalReports are of indexes that were measured with the same queries.
type evalReports []*evalReport

// printJSON prints the report of one index, or the list of several.
func (all evalReports) printJSON(w io.Writer) error {
	if len(all) == 1 {
		return printJSON(w, all[0])
	}
	return printJSON(w, struct {
		Indexes evalReports `json:"indexes"`
	}{all})
}

func (all evalReports) print(p *printer) error {
	for i, r := range all {
		if len(all) > 1 {
			p.printf("%s%s\n", [...]string{"", "\n"}[min(i, 1)], r.Index)
		}
		printPoints(p, r.Rows, r.K)
		if r.Share > 0 {
			p.printf("the shards looked into hold %.4f of the true neighbours, %g asked; shares were %s\n",
				r.ShareHeld, r.Share, measuredOn(r.ShareQueries))
		}
		p.printf("%s on %s; %s resident; %s\n",
			many(r.Queries, "query"), many(r.Threads, "thread"), size(r.ResidentBytes), r.Machine)
	}
	return p.err
}

// title says what a plot of the reports shows, and where it was measured.
func (all evalReports) title() string {
	first := all[0]
	title := fmt.Sprintf("%s × %d, %s, %s", all.vectors(), first.Dim, first.Metric, many(first.Threads, "thread"))
	if len(all) == 1 {
		title = first.Index + ": " + title
	}
	return title + "\n" + first.Machine.String()
}

// vectors is the number of vectors in all of the indexes, or a range.
func (all evalReports) vectors() string {
	least, most := all[0].Vectors, all[0].Vectors
	for _, x := range all {
		least, most = min(least, x.Vectors), max(most, x.Vectors)
	}
	if least == most {
		return count(most)
	}
	return count(least) + " to " + count(most)
}

func (all evalReports) curves() []plot.Curve {
	var curves []plot.Curve
	for _, r := range all {
		curves = append(curves, plot.Curve{Name: fmt.Sprintf("%s (%s)", r.Index, r.Storage), Points: r.Rows})
	}
	return curves
}
