// Command limit measures how fast this machine reads blocks at random places in memory: the floor under the time of a
// search that touches so many rows and link lists. It reads with the distance kernels that searches use.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/shale-search/shale/internal/simd"
)

// report is what one run found.
type report struct {
	MiB     int      `json:"mib"`
	Kernels string   `json:"kernels"`
	Figures []figure `json:"figures"`
}

// figure is the time that one block takes.
type figure struct {
	BlockBytes int     `json:"block_bytes"`
	Pages      string  `json:"pages"` // huge or 4k
	Nanos      float64 `json:"ns"`
	GBPerSec   float64 `json:"gb_per_s"`
	Method     string  `json:"method"` // the way of prefetching that was the fastest
}

func main() {
	mib := flag.Int("mib", 150, "working set in MiB")
	blocks := flag.String("blocks", "64,128,192,384,400,512,768,1024,1536", "block sizes in bytes, multiples of 4")
	trial := flag.Duration("trial", 60*time.Millisecond, "length of one trial; the best of three counts")
	asJSON := flag.Bool("json", false, "write JSON")
	flag.Parse()
	if err := run(os.Stdout, *mib, *blocks, *trial, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, mib int, blocks string, trial time.Duration, asJSON bool) error {
	sizes, err := parseSizes(blocks, mib)
	if err != nil {
		return err
	}
	r := report{MiB: mib, Kernels: simd.Active.Name}
	for _, p := range []pages{hugePages, smallPages} {
		figures, err := measure(p, mib<<20, sizes, trial)
		if err != nil {
			return err
		}
		r.Figures = append(r.Figures, figures...)
	}
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	fmt.Fprintf(w, "%d MiB, %s kernels, one core\n%-6s %8s %10s %8s  %s\n", r.MiB, r.Kernels, "pages", "bytes",
		"ns/block", "GB/s", "method")
	for _, f := range r.Figures {
		fmt.Fprintf(w, "%-6s %8d %10.1f %8.1f  %s\n", f.Pages, f.BlockBytes, f.Nanos, f.GBPerSec, f.Method)
	}
	return nil
}

// parseSizes reads a comma-separated list of block sizes that fit the working set.
func parseSizes(list string, mib int) ([]int, error) {
	if mib < 1 || mib > 1<<20 {
		return nil, fmt.Errorf("a working set of %d MiB", mib)
	}
	var sizes []int
	for _, field := range strings.Split(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 4 || n%4 != 0 || n > mib<<20 {
			return nil, fmt.Errorf("block size %q: want a multiple of 4 that fits the working set", field)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}
