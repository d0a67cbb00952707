package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/wordnet"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

const (
	demoHeldOut = 500 // rows that aren't indexed: they are the queries
	demoK       = 10
)

// demoShown are held-out glosses whose neighbours are shown, by row.
var demoShown = []int{9521, 9595, 9576, 9541, 9608}

type demoReport struct {
	Rows        int          `json:"rows"`
	Dim         int          `json:"dim"`
	Queries     int          `json:"queries"`
	BuildTime   float64      `json:"build_seconds"`
	Storage     string       `json:"storage"`
	Keep        string       `json:"keep"`
	MemoryBytes int64        `json:"memory_bytes"`
	FileBytes   int64        `json:"file_bytes"`
	Points      []eval.Point `json:"points"`
	Examples    []demoAnswer `json:"examples"`
}

type demoAnswer struct {
	Query   string     `json:"query"`
	Nearest []demoNear `json:"nearest"`
}

type demoNear struct {
	Distance float32 `json:"distance"`
	Gloss    string  `json:"gloss"`
}

func demoCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Index 10,000 dictionary entries that come with the command, and search them",
		Long: `Demo indexes the meanings of 9,500 entries of the WordNet dictionary, embedded in 384
dimensions, then searches for 500 others: it shows what lies nearest to a few of them, the
share of true neighbours found, and how fast. It needs no files and no network. To know the size of
the index it is saved to the folder for temporary files, and removed at once; if the demo is killed
meanwhile, the next one removes what is left.`,
		Example: "  shale demo\n  shale demo --json",
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		r, err := runDemo(c.Context(), c.ErrOrStderr())
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), r)
		}
		return r.print(c.OutOrStdout())
	}
	jsonFlag(c, &asJSON)
	return c
}

func runDemo(ctx context.Context, messages io.Writer) (*demoReport, error) {
	vectors, err := wordnet.Vectors()
	if err != nil {
		return nil, err
	}
	rows := vectors.Slice(0, wordnet.Rows-demoHeldOut)
	queries := vectors.Slice(rows.Rows(), vectors.Rows())
	r := &demoReport{Rows: rows.Rows(), Dim: rows.Dim(), Queries: queries.Rows()}

	bars := &steps{w: messages}
	began := time.Now()
	index, err := shale.Build(ctx, rows, shale.BuildOptions{Metric: vector.Cosine, Progress: bars.set})
	bars.end()
	if err != nil {
		return nil, err
	}
	defer index.Close()
	r.BuildTime = time.Since(began).Seconds()
	if err := r.measureSize(ctx, index); err != nil {
		return nil, err
	}
	truth, err := eval.GroundTruth(ctx, rows, queries, vector.Cosine, demoK, 0)
	if err != nil {
		return nil, err
	}
	r.Points, err = eval.Sweep(ctx, index, queries, truth, []int{10, 20, 50, 100},
		eval.Options{K: demoK, MinTime: 300 * time.Millisecond})
	if err != nil {
		return nil, err
	}
	return r, r.ask(index, vectors)
}

// errMeasured ends the use of a temporary directory.
var errMeasured = errors.New("measured")

// measureSize saves the index to a temporary directory. Should this process be killed, the next demo removes what is
// left.
func (r *demoReport) measureSize(ctx context.Context, index *shale.Index) error {
	err := atomicfile.Dir(filepath.Join(os.TempDir(), "shale-demo"), false, func(temp string) error {
		path := filepath.Join(temp, "demo.index")
		if err := index.Save(ctx, path, shale.SaveOptions{}); err != nil {
			return err
		}
		var err error
		if r.FileBytes, err = store.SizeOnDisk(path); err != nil {
			return err
		}
		return errMeasured
	})
	if !errors.Is(err, errMeasured) {
		return fmt.Errorf("demo: %w", err)
	}
	info, err := index.Info()
	r.Storage, r.Keep, r.MemoryBytes = info.Storage, info.Keep, info.MemoryBytes
	return err
}

// ask searches for the glosses that are shown.
func (r *demoReport) ask(index *shale.Index, vectors vector.Matrix) error {
	glosses := wordnet.Glosses()
	query := make([]float32, vectors.Dim())
	for _, row := range demoShown {
		vectors.Decode(row, query)
		found, err := index.Search(query, 4, search.Options{})
		if err != nil {
			return err
		}
		a := demoAnswer{Query: glosses[row]}
		for _, n := range found {
			a.Nearest = append(a.Nearest, demoNear{n.Distance, glosses[n.Label]})
		}
		r.Examples = append(r.Examples, a)
	}
	return nil
}
