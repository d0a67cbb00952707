package main

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/coding"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// required makes flags needed; their absence is a mistake in the command line.
func required(c *cobra.Command, names ...string) {
	next := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		var missing []string
		for _, n := range names {
			if isEmpty(c.Flags().Lookup(n)) {
				missing = append(missing, "--"+n)
			}
		}
		if len(missing) > 0 {
			return usagef(c, "%s must be given", strings.Join(missing, " and "))
		}
		if next != nil {
			return next(c, args)
		}
		return nil
	}
}

// isEmpty reports whether a flag wasn't given, or was given nothing.
func isEmpty(f *pflag.Flag) bool {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return len(list.GetSlice()) == 0 || slices.Contains(list.GetSlice(), "")
	}
	return !f.Changed || f.Value.String() == ""
}

// filesFlag declares a flag that may be given several times: the files are read one after another.
func filesFlag(c *cobra.Command, into *[]string, name, usage string) {
	c.Flags().StringArrayVar(into, name, nil, usage+"; several are read one after another")
}

// inputUsage explains the flag that names files of vectors.
const inputUsage = "read the vectors from `FILE`, the files in a folder, or those of a pattern such as 'parts/*.npy'"

// errTwice is what is wrong with a flag.
var errTwice = errors.New("is given twice, and takes one value")

// onceValue is a flag's value that may be set once: a second one would make the first count for nothing.
type onceValue struct {
	pflag.Value
	given bool
}

// Set implements pflag.Value.
func (v *onceValue) Set(s string) error {
	if v.given {
		return errTwice
	}
	v.given = true
	return v.Value.Set(s)
}

// takeOnce makes it an error to give a command's flag twice, unless it is one that collects
// values or switches something on.
func takeOnce(c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if _, list := f.Value.(pflag.SliceValue); !list && f.Value.Type() != "bool" {
			f.Value = &onceValue{Value: f.Value}
		}
	})
}

// inputFlags name files that are read.
var inputFlags = []string{"input", "labels", "ids", "payload", "queries", "filter", "groundtruth", "pq-codebooks"}

// stdinOnce refuses standard input as the file of two flags: what comes first would take all of it.
func stdinOnce(c *cobra.Command) error {
	var named []string
	for _, name := range inputFlags {
		flag := c.Flags().Lookup(name)
		if flag == nil || !flag.Changed {
			continue
		}
		paths := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			paths = list.GetSlice()
		}
		for _, path := range paths {
			if path == "-" || strings.HasSuffix(path, ":-") {
				named = append(named, "--"+name)
			}
		}
	}
	if len(named) > 1 {
		return usagef(c, "%s: standard input can be read once", strings.Join(named, " and "))
	}
	return nil
}

// mostCount is the largest number of vectors, candidates or threads that a flag may ask
// for: no index holds more vectors.
const mostCount = math.MaxInt32

// atLeast refuses smaller values of a flag, and those above mostCount.
func atLeast(c *cobra.Command, name string, value, least int) error {
	if value < least {
		return usagef(c, "--%s is %d, not at least %d", name, value, least)
	}
	if value > mostCount {
		return usagef(c, "--%s is %d, not at most %d", name, value, mostCount)
	}
	return nil
}

// leastSize is the smallest size that may be given without a unit: less is more likely a unit forgotten.
const leastSize = 1 << 20

// parseSize reads a size of memory; 0 where none is given.
func parseSize(c *cobra.Command, name, value string) (int64, error) {
	if value == "" {
		return 0, nil
	}
	n, err := humanize.ParseBytes(value)
	if err != nil || n == 0 || n > math.MaxInt64 {
		return 0, usagef(c, "--%s %s is no size such as 500MB or 2GiB", name, value)
	}
	if strings.Trim(value, "0123456789., ") == "" && n < leastSize {
		return 0, usagef(c, "--%s %s is %d bytes; did you mean %sMiB or %sGiB?", name, value, n, value, value)
	}
	return int64(n), nil
}

func parseMetric(c *cobra.Command, s string) (vector.Metric, error) {
	m, err := vector.ParseMetric(s)
	if err != nil {
		return 0, usagef(c, "--metric: %w", err)
	}
	return m, nil
}

// codesFlags say what searches walk over and which rows are kept.
type codesFlags struct{ codes, rows string }

// add declares the flags, and the names that they had before, which aren't shown.
func (f *codesFlags) add(c *cobra.Command, codes, rows string) {
	s := c.Flags()
	s.StringVar(&f.codes, "codes", "auto", codes)
	s.StringVar(&f.rows, "rows", "auto", rows)
	s.StringVar(&f.codes, "storage", "auto", "the same as --codes")
	s.StringVar(&f.rows, "keep", "auto", "the same as --rows")
	s.Lookup("storage").Hidden, s.Lookup("keep").Hidden = true, true
}

// codesName and rowsName are the names by which the flags were given.
func (f *codesFlags) codesName(c *cobra.Command) string { return givenName(c, "codes", "storage") }
func (f *codesFlags) rowsName(c *cobra.Command) string  { return givenName(c, "rows", "keep") }

func givenName(c *cobra.Command, name, old string) string {
	if c.Flags().Changed(old) {
		return old
	}
	return name
}

// options parses the flags.
func (f *codesFlags) options(c *cobra.Command, o *shale.BuildOptions) error {
	for _, names := range [][2]string{{"codes", "storage"}, {"rows", "keep"}} {
		if c.Flags().Changed(names[0]) && c.Flags().Changed(names[1]) {
			return usagef(c, "--%s is the old name of --%s: give one of them", names[1], names[0])
		}
	}
	codes, _, err := coding.ParseCodes(f.codes)
	if err != nil {
		return usagef(c, "--%s: %w", f.codesName(c), err)
	}
	rows, _, err := coding.ParseRows(f.rows)
	if err != nil {
		return usagef(c, "--%s: %w", f.rowsName(c), err)
	}
	o.Codes, o.Rows = shale.Codes(codes), shale.Rows(rows)
	return nil
}

// rankFlags say how candidates become results.
type rankFlags struct{ search.Options }

func (f *rankFlags) add(c *cobra.Command) {
	s := c.Flags()
	s.IntVar(&f.Rerank, "rerank", 0,

		"rank `N` candidates found by codes by their rows (default: as many as the codes' error calls for)")
	s.IntVar(&f.Probes, "probes", 0, "look into the `N` shards that a query seems to need most (default: as --share says)")
	s.Float64Var(&f.Share, "share", 0,

		"look into as many shards as a query needs to find the share `X` of its neighbours (default 0.98)")
	s.Float32Var(&f.Slack, "slack", 0,

		"end a search at the first candidate farther than 1 + `S` times the k-th, e.g. 0.15 (default: go on as --ef says)")
}

// suit refuses what has no meaning for the index at path.
func (f *rankFlags) suit(c *cobra.Command, index *shale.Index, path string) error {
	if f.Slack > 0 && index.Metric() == vector.IP {
		return usagef(c, "--slack goes with l2 and cosine, and %s is of ip: the distance of the k-th may be below 0", path)
	}
	if inside.Of(index).Shards() == 1 && (f.Probes > 1 || f.Share > 0) {
		return usagef(c, "--probes and --share go with several shards, and %s has one", path)
	}
	if f.Rerank == 0 {
		return nil
	}
	info, err := index.Info()
	if err != nil {
		return err
	}
	switch {
	case info.Keep == string(shale.RowsNone):
		return usagef(c, "--rerank %d ranks candidates by their rows, and %s keeps none", f.Rerank, path)
	case info.CodeBytes == 0:
		return usagef(c, "--rerank %d ranks candidates that codes found, and searches of %s read rows", f.Rerank, path)
	}
	return nil
}

func (f *rankFlags) check(c *cobra.Command) error {
	if !(f.Slack >= 0 && f.Slack < 1e6) {
		return usagef(c, "--slack is %v, not at least 0", f.Slack)
	}
	if !(f.Share >= 0 && f.Share <= 1) {
		return usagef(c, "--share is %v, not 0 to 1%s", f.Share, shareHint(f.Share))
	}
	if err := atLeast(c, "probes", f.Probes, 0); err != nil {
		return err
	}
	return atLeast(c, "rerank", f.Rerank, 0)
}
