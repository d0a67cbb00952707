package main

import (
	"cmp"
	"context"
	"fmt"
	"unsafe"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// indexFlags say what an index of hnswlib doesn't.
type indexFlags struct {
	metric  string
	dim     int
	memory  string
	vectors string
	mapped  bool
	pin     bool
	global  bool

	load shard.SearchLoad // what searches take of --memory

	withoutVectors bool // an external index doesn't need them
	toChange       bool // the index is to be changed and saved: other processes are kept from doing so until it is closed
	quiet          bool // the plan isn't printed
	wait           waitFlag

	resident         int
	codes, codebooks string
}

// addMemory is for commands that only search.
func (f *indexFlags) addMemory(c *cobra.Command) {
	c.Flags().StringVar(&f.memory, "memory", "",
		"keep within `SIZE`, as in 256MiB: what doesn't fit is read from disk, as told (default: all in memory)")
	c.Flags().BoolVar(&f.mapped, "mmap", false,
		"map the index and read only what searches need, unchecked: opens at once, however large")
	c.Flags().BoolVar(&f.pin, "pin-upper", false, "with --mmap, read the links of the upper levels into memory")
	c.Flags().IntVar(&f.resident, "resident", 0,
		"with --mmap: read the first `N` shards into memory (default: as many as --memory holds)")
	f.addVectors(c)
	c.Flags().StringVar(&f.codes, "pq-codes", "",
		"let searches of an external index read product quantization's codes, mapped from `FILE`, one byte a "+
			"sub-vector")
	c.Flags().StringVar(&f.codebooks, "pq-codebooks", "",
		"read the codebooks of --pq-codes from `FILE`, an .npy of sub-vectors × centroids × values")
}

// addVectors is for commands that read the vectors of an index.
func (f *indexFlags) addVectors(c *cobra.Command) {
	c.Flags().StringVar(&f.vectors, "vectors", "",
		"map the vectors of an external index from `FILE` (default: the one it was built from)")
}

func (f *indexFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.metric, "metric", "",
		"take `METRIC` (l2, ip or cosine) for an index.bin or a .graph of hnswlib, which don't tell")
	c.Flags().IntVar(&f.dim, "dim", 0, "expect `N` values a vector (default: whatever the index has)")
	c.Flags().BoolVar(&f.global, "global-labels", false,
		"take the labels in shards of hnswlib-mmap as they are, not as those of rows within the shard")
	f.wait.add(c)
}

// options checks the flags.
func (f *indexFlags) options(c *cobra.Command, path string) (shale.OpenOptions, error) {
	if err := cmp.Or(atLeast(c, "dim", f.dim, 0), atLeast(c, "resident", f.resident, 0)); err != nil {
		return shale.OpenOptions{}, err
	}
	switch {
	case f.resident > 0 && !f.mapped:
		return shale.OpenOptions{}, usagef(c, "--resident %d goes with --mmap", f.resident)
	case f.pin && !f.mapped:
		return shale.OpenOptions{}, usagef(c, "--pin-upper goes with --mmap")
	case (f.codes == "") != (f.codebooks == ""):
		return shale.OpenOptions{}, usagef(c, "--pq-codes and --pq-codebooks go together")
	}
	if err := f.wait.check(c); err != nil {
		return shale.OpenOptions{}, err
	}
	o := shale.OpenOptions{
		Dim: f.dim, Mapped: f.mapped, PinUpper: f.pin, LabelsAreGlobal: f.global, Resident: f.resident,
	}
	inside.Expect(&o, f.load)
	lock := f.wait.options(c, path)
	o.Lock, o.Wait, o.Waiting = f.toChange, lock.Wait, lock.Waiting
	var err error
	if o.Memory, err = parseSize(c, "memory", f.memory); err != nil {
		return o, err
	}
	kind, kindErr := location.Detect(path)
	if f.global && kindErr == nil && kind != shale.ForkShards {
		return o, usagef(c, "--global-labels goes with shards of hnswlib-mmap, and %s is a %s", path, kind)
	}
	if f.metric != "" {
		if o.Metric, err = parseMetric(c, f.metric); err != nil {
			return o, err
		}
	} else if kindErr == nil && (kind == shale.Hnswlib || kind == shale.Graph) {
		return o, usagef(c, "%s is a file of hnswlib, which doesn't hold its metric: give --metric l2, ip or cosine", path)
	}
	return o, nil
}

// open opens the index at path.
func (f *indexFlags) open(c *cobra.Command, path string) (*shale.Index, error) {
	o, err := f.options(c, path)
	if err != nil {
		return nil, err
	}
	index, err := openIndex(c, path, o, f.toChange)
	if err != nil {
		return nil, err
	}
	if f.metric != "" && index.Metric() != o.Metric {
		index.Close()
		return nil, fmt.Errorf("%s was built with --metric %s, not %s", path, index.Metric(), o.Metric)
	}
	if placed, ok := inside.Of(index).Placement(); ok && (o.Memory > 0 || o.Mapped) && !f.quiet {
		fmt.Fprintf(c.ErrOrStderr(), "%s: %v\n", path, placed)
	}
	boundHeap(index, o.Memory)
	if err := f.attach(c.Context(), index, path); err != nil {
		index.Close()
		return nil, err
	}
	return index, nil
}

// check checks the flags and that there is an index at path, before pipes are waited for.
func (f *indexFlags) check(c *cobra.Command, path string) error {
	if _, err := f.options(c, path); err != nil {
		return err
	}
	if _, err := location.Detect(path); err != nil {
		return explain(fmt.Errorf("open index: %w", err), path)
	}
	return nil
}

// openIndex opens the index at path. A live file that isn't to be changed is opened for searching only, so that others
// may search it at the same time and no right to write is needed.
func openIndex(c *cobra.Command, path string, o shale.OpenOptions, toChange bool) (*shale.Index, error) {
	if kind, err := location.Detect(path); err == nil && kind == location.Live && !toChange {
		o.Mapped = true
	}
	index, err := shale.Open(c.Context(), path, o)
	if err != nil {
		return nil, explain(err, path)
	}
	return index, nil
}

// attachCodes maps codes for an external index. They stay mapped until the command ends.
func (f *indexFlags) attachCodes(ctx context.Context, index *shale.Index) error {
	var shape [3]int
	books, err := within(ctx, func() (books []float32, err error) {
		books, shape, err = datafile.ReadCodebooks(f.codebooks)
		return books, err
	})
	if err != nil {
		return err
	}
	codes, mapping, err := datafile.Map(f.codes)
	if err != nil {
		return err
	}
	if codes.Type() != vector.Uint8 || codes.Dim() != shape[0] {
		mapping.Close()
		return fmt.Errorf("%s: codes of %d %v, the codebooks are of %d sub-vectors, a byte each", f.codes,
			codes.Dim(), codes.Type(), shape[0])
	}
	q, err := pq.New(pq.Config{Dim: shape[0] * shape[2], Metric: index.Metric(),
		Subvectors: shape[0], Centroids: shape[1]}, books)
	if err != nil {
		return fmt.Errorf("%s: %w", f.codebooks, err)
	}
	var all []byte
	if codes.Rows() > 0 {
		all = unsafe.Slice(unsafe.SliceData(codes.RowBytes(0)), codes.Rows()*codes.Dim())
	}
	return inside.Of(index).AttachPQ(q, all, hnsw.AttachPQOptions{Mapped: true})
}

// attach maps the vectors of an external index, or its codes. They stay mapped until the command ends.
func (f *indexFlags) attach(ctx context.Context, index *shale.Index, path string) error {
	if !inside.Of(index).External() {
		if f.vectors != "" {
			return fmt.Errorf("%s has vectors of its own: leave out --vectors", path)
		}
		if f.codes != "" {
			return fmt.Errorf("%s has vectors of its own: leave out --pq-codes", path)
		}
		return nil
	}
	if f.withoutVectors {
		return nil
	}
	if f.codes != "" {
		if err := f.attachCodes(ctx, index); err != nil || f.vectors == "" {
			return err
		}
	}
	file := cmp.Or(f.vectors, inside.Of(index).VectorFile())
	if file == "" {
		return fmt.Errorf("%s is external: name the file of its vectors by --vectors", path)
	}
	rows, _, err := datafile.Map(file)
	if err != nil {
		return fmt.Errorf("%s is external, and its vectors can't be mapped: name the file by --vectors: %w",
			path, explainVectors(err, file))
	}
	return index.Attach(rows, true)
}

// openToChange opens an index that can be changed, and keeps other processes from changing it.
func (f *indexFlags) openToChange(c *cobra.Command, path string) (*shale.Index, error) {
	f.withoutVectors, f.toChange = true, true
	return f.openByShard(c, path)
}

// openByShard opens an index. Of one of several shards only those are read into memory that are changed.
func (f *indexFlags) openByShard(c *cobra.Command, path string) (*shale.Index, error) {
	if m, err := manifest.Read(path); err == nil && len(m.Shards) > 1 {
		f.mapped, f.quiet = true, true
	}
	return f.open(c, path)
}
