package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/rowtype"
)

// printer writes until something fails, and keeps the failure.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func jsonFlag(c *cobra.Command, on *bool) {
	c.Flags().BoolVar(on, "json", false, "print one JSON document")
}

// printJSON prints v for programs, and for people who look at what programs get.
func printJSON(w io.Writer, v any) error { return encode(w, v, "  ") }

// printLine is printJSON for long arrays, which would take a line a number.
func printLine(w io.Writer, v any) error { return encode(w, v, "") }

func encode(w io.Writer, v any, indent string) error {
	e := json.NewEncoder(w)
	e.SetIndent("", indent)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

// tell prints a report as JSON or, for people, as a line.
func tell(c *cobra.Command, asJSON bool, report any, format string, args ...any) error {
	if asJSON {
		return printJSON(c.OutOrStdout(), report)
	}
	p := &printer{w: c.OutOrStdout()}
	p.printf(format+"\n", args...)
	return p.err
}

// count writes n with its thousands parted.
func count[T ~int | ~int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for at := len(s) - 3; at > 0 && s[at-1] != '-'; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// rowsKept says which rows an index keeps.
func rowsKept(keep string) string {
	if keep == string(shale.RowsNone) {
		return "no rows"
	}
	if keep == rowtype.External.String() {
		return "no rows of its own"
	}
	return keep + " rows"
}

// many writes n things, or one.
func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	if stem, ok := strings.CutSuffix(thing, "ery"); ok {
		return count(n) + " " + stem + "eries"
	}
	return count(n) + " " + thing + "s"
}

// size writes bytes in the unit that fits.
func size(n int64) string {
	v, unit := float64(n), 0
	for v >= 1024 && unit < 4 {
		v /= 1024
		unit++
	}
	if unit == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", v, [...]string{"", "KiB", "MiB", "GiB", "TiB"}[unit])
}

// printPoints writes a sweep as a table.
func printPoints(p *printer, points []eval.Point, k int) {
	fromDisk := slices.ContainsFunc(points, func(x eval.Point) bool { return x.Reads > 0 })
	p.printf("%6s  %10s  %10s  %8s  %8s  %8s  %10s  %8s  %7s",
		"ef", fmt.Sprintf("recall@%d", k), "queries/s", "p50 µs", "p95 µs", "p99 µs", "distances", "reranked", "hops")
	if fromDisk {
		p.printf("  %6s  %6s", "reads", "KiB")
	}
	p.printf("\n")
	for _, x := range points {
		p.printf("%6d  %10.4f  %10s  %8s  %8s  %8s  %10.1f  %8.1f  %7.1f",
			x.Ef, x.Recall, count(int(x.QPS)), micros(x.P50), micros(x.P95), micros(x.P99), x.Distances, x.Reranked, x.Hops)
		if fromDisk {
			p.printf("  %6.1f  %6.1f", x.Reads, x.ReadBytes/1024)
		}
		p.printf("\n")
	}
}

// micros writes the time of a search, if it was measured.
func micros(v float64) string {
	if v == 0 {
		return "-"
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}
