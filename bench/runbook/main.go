// Command runbook runs a list of insertions, deletions and searches on a collection and reports recall after each
// search, in the form of the streaming track of NeurIPS'23 (github.com/harsha-simhadri/big-ann-benchmarks), whose
// runbooks it reads.
//
//	go run ./bench/runbook -make expiration -rows 1000000 -book expiration.yaml
//	go run ./bench/runbook -make clustered -input base.npy -sorted sorted.npy -book clustered.yaml
//	go run ./bench/runbook -input base.npy -queries queries.npy -book expiration.yaml -dir folder
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/shale-search/shale/dataset"
	"github.com/shale-search/shale/vector"
)

// settings are the flags.
type settings struct {
	make, input, sorted, queries, book, dir, metric string
	rows, clusters, checked, k, ef                  int
	segmentRows                                     int
}

func main() {
	var s settings
	flag.StringVar(&s.make, "make", "", "make a runbook: expiration or clustered")
	flag.StringVar(&s.input, "input", "", "vectors, in a file that shale reads")
	flag.StringVar(&s.sorted, "sorted", "", "with -make clustered: the vectors in the order of clusters, to be written")
	flag.StringVar(&s.queries, "queries", "", "vectors to search for")
	flag.StringVar(&s.book, "book", "", "the runbook, YAML")
	flag.StringVar(&s.dir, "dir", "", "folder in which the collection is made")
	flag.StringVar(&s.metric, "metric", "cosine", "l2, ip or cosine")
	flag.IntVar(&s.rows, "rows", 0, "with -make expiration: the number of vectors")
	flag.IntVar(&s.clusters, "clusters", 32, "with -make clustered: the number of clusters")
	flag.IntVar(&s.checked, "check", 200, "queries by which recall is counted")
	flag.IntVar(&s.k, "k", 10, "neighbours that a search finds")
	flag.IntVar(&s.ef, "ef", 200, "candidates that a search holds")
	flag.IntVar(&s.segmentRows, "segment-rows", 0, "see collection.Options; 0: its default")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, s); err != nil {
		fmt.Fprintln(os.Stderr, "runbook:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, s settings) error {
	if s.book == "" {
		return fmt.Errorf("-book is needed")
	}
	switch s.make {
	case "":
		return follow(ctx, w, s)
	case "expiration":
		return writeBook(s.book, "expiration", s.rows, expiration(s.rows))
	case "clustered":
		return makeClustered(ctx, s)
	}
	return fmt.Errorf("-make is %q, not expiration or clustered", s.make)
}

// report is what a run found.
type report struct {
	Documents  int       `json:"documents"`
	Steps      int       `json:"steps"`
	MeanRecall float64   `json:"mean_recall_at_k"`
	Recalls    []float64 `json:"recalls"`
	// Seconds of operations; those of the exact searches beside them aren't in it.
	InsertSeconds float64 `json:"insert_seconds"`
	DeleteSeconds float64 `json:"delete_seconds"`
	SearchSeconds float64 `json:"search_seconds"`
}

// follow does what a runbook says.
func follow(ctx context.Context, w io.Writer, s settings) (err error) {
	steps, err := readBook(s.book)
	if err != nil {
		return err
	}
	rows, closer, err := dataset.Map(s.input)
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }() // it was only read
	queries, err := dataset.ReadAll(s.queries)
	if err != nil {
		return err
	}
	metric, err := vector.ParseMetric(s.metric)
	if err != nil {
		return err
	}
	x, err := begin(ctx, s, rows, queries.Slice(0, min(s.checked, queries.Rows())), metric)
	if err != nil {
		return err
	}
	defer func() {
		if e := x.c.Close(); err == nil {
			err = e
		}
	}()
	r, err := x.follow(ctx, steps)
	if err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
