// Command collections measures a collection that is written to while it is searched: durable writes a second, the time
// of searches with and without writes, recall, memory and disk.
//
//	go run ./bench/collections -input base.npy -queries queries.npy -dir folder -seconds 60
//
// The documents have a payload of a keyword (200 values, skewed), an integer, a float, a datetime and 200 bytes of
// text.
// One goroutine writes batches: of 10 upserts 6 are of new documents and 4 overwrite, and as many documents are deleted
// as were new. Another one searches at a fixed rate.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// settings are the flags.
type settings struct {
	input, queries, dir string
	seconds             int
	rate                int // searches a second
	writes              int // a second at most; 0: as many as there can be
	procs               int // GOMAXPROCS; 0: procsAProcessor for each processor
	batch               int
	segmentRows         int
	ef, k               int
	checked             int
	profile             string
	memory              int64 // MiB
}

// report is what a run measured.
type report struct {
	Documents     int     `json:"documents"`
	ImportSeconds float64 `json:"import_seconds"`
	Quiet         latency `json:"searches_without_writes"`
	Busy          latency `json:"searches_with_writes"`
	WritesPerSec  float64 `json:"durable_writes_per_second"`
	Upserts       int     `json:"upserts"`
	Deletes       int     `json:"deletes"`
	Recall        float64 `json:"recall_at_k"`
	PeakMiB       float64 `json:"peak_rss_mib"`
	DiskMiB       float64 `json:"disk_mib"`
	MostDiskMiB   float64 `json:"most_disk_mib"`
	OpenSeconds   float64 `json:"open_seconds"`
	SealSeconds   float64 `json:"seal_seconds"`
	Segments      int     `json:"segments"`
	LeastWrites   int     `json:"least_writes_in_a_second"`
}

func main() {
	var s settings
	flag.StringVar(&s.input, "input", "", "vectors of the documents, in a file that shale reads")
	flag.StringVar(&s.queries, "queries", "", "vectors to search for")
	flag.StringVar(&s.dir, "dir", "", "folder in which the collection is made, or opened if it is there")
	flag.IntVar(&s.seconds, "seconds", 60, "how long to write and search")
	flag.IntVar(&s.rate, "rate", 200, "searches a second")
	flag.IntVar(&s.writes, "writes", 0, "writes a second at most; 0: as many as there can be")
	flag.IntVar(&s.procs, "procs", 0, "GOMAXPROCS; 0: three times the number of processors")
	flag.IntVar(&s.batch, "batch", 100, "documents written at once")
	flag.Int64Var(&s.memory, "memory", 0, "MiB, see collection.Options; 0: its default")
	flag.IntVar(&s.segmentRows, "segment-rows", 0, "see collection.Options; 0: its default")
	flag.IntVar(&s.ef, "ef", 100, "candidates that a search holds")
	flag.IntVar(&s.k, "k", 10, "documents that a search finds")
	flag.IntVar(&s.checked, "check", 100, "queries by which recall is counted, which are answered exactly too")
	flag.StringVar(&s.profile, "profile", "", "file to write a CPU profile of the time of writes and searches to")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, s); err != nil {
		fmt.Fprintln(os.Stderr, "collections:", err)
		os.Exit(1)
	}
}

// procsAProcessor leaves enough of GOMAXPROCS to writes and searches while merges, which have threads of a lower
// priority, hold some of it.
const procsAProcessor = 3

func run(ctx context.Context, w io.Writer, s settings) (err error) {
	if s.input == "" || s.queries == "" || s.dir == "" {
		return fmt.Errorf("-input, -queries and -dir are needed")
	}
	runtime.GOMAXPROCS(cmp.Or(s.procs, procsAProcessor*runtime.NumCPU()))
	if s.memory > 0 { // little of a collection's memory is the collector's
		debug.SetMemoryLimit(s.memory << 20 / 6)
	}
	x, err := begin(ctx, s)
	if err != nil {
		return err
	}
	var r report
	r.ImportSeconds, err = x.fill(ctx)
	if x.c != nil {
		defer func() { err = errors.Join(err, x.c.Close()) }()
	}
	if err != nil {
		return err
	}
	r.OpenSeconds = x.openSeconds
	if r.Quiet, err = x.searchFor(ctx, time.Duration(s.seconds)*time.Second/6); err != nil {
		return err
	}
	if err := profiled(s.profile, func() error { return x.mix(ctx, &r) }); err != nil {
		return err
	}
	if r.Recall, err = x.recall(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := x.c.Seal(ctx); err != nil {
		return err
	}
	r.SealSeconds = time.Since(began).Seconds()
	if err := x.describe(&r); err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
