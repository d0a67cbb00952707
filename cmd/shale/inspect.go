package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
)

type inspectReport struct {
	Index  string `json:"index"`
	Format string `json:"format"`
	shale.Info
	FileBytes int64 `json:"file_bytes"`
	// Leftovers are files and directories of writers that were killed.
	Leftovers []string `json:"leftovers,omitempty"`
}

func inspectCommand() *cobra.Command {
	var asJSON bool
	var memory string
	var o shale.OpenOptions
	var wait waitFlag
	c := &cobra.Command{
		Use:   "inspect INDEX",
		Short: "Tell what an index holds",
		Long: `Inspect opens an index and tells its size, its parameters and the shape of its graph. It names the
files that killed processes have left, which the next change of the index removes.`,
		Example: "  shale inspect my.index\n  shale inspect index.bin --json\n  shale inspect large.index --mmap",
		Args:    indexArg,
	}
	c.Flags().StringVar(&memory, "memory", "", "keep within `SIZE`, as in 256MiB (default: all in memory)")
	c.Flags().BoolVar(&o.Mapped, "mmap", false, "map the index and read its links only, unchecked")
	wait.add(c)
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if err := wait.check(c); err != nil {
			return err
		}
		lock := wait.options(c, args[0])
		o.Wait, o.Waiting = lock.Wait, lock.Waiting
		if o.Memory, err = parseSize(c, "memory", memory); err != nil {
			return err
		}
		r, err := inspect(c, args[0], o)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), r)
		}
		return r.print(&printer{w: c.OutOrStdout()})
	}
	return c
}

func inspect(c *cobra.Command, path string, o shale.OpenOptions) (*inspectReport, error) {
	index, err := openIndex(c, path, o, false)
	if err != nil {
		return nil, err
	}
	defer index.Close()
	format, err := location.Detect(path)
	if err != nil {
		return nil, err
	}
	r := &inspectReport{Index: path, Format: format.String()}
	if r.Info, err = index.Info(); err != nil {
		return nil, err
	}
	if format == shale.Hnswlib || format == shale.Graph {
		r.Metric = "unknown" // the file doesn't tell
	}
	if r.FileBytes, err = store.SizeOnDisk(path); err != nil {
		return nil, err
	}
	r.Leftovers, err = location.Leftovers(path)
	return r, err
}

// walkedOver tells the storage, and what serves in its stead for the time being.
func (r *inspectReport) walkedOver() string {
	if r.Coded && r.CodeBytes == 0 && r.Keep != string(shale.RowsNone) {
		return r.Storage + ", once there are rows enough; searches read " + r.Keep + " until then"
	}
	return r.Storage
}

// ranked tells where distances come from.
func (r *inspectReport) ranked() string {
	if r.Keep == string(shale.RowsNone) {
		return "no rows: distances are estimates from codes"
	}
	if r.Keep == rowtype.External.String() {
		return "no rows: they are mapped from a file of vectors"
	}
	return r.Keep + " rows for exact distances"
}

// measuredOn describes the queries by which shares were measured, given how many tune used, or 0.
func measuredOn(queries int) string {
	if queries == 0 {
		return "measured by the build on rows of the index: for other queries, see shale tune"
	}
	return "measured by tune on " + many(queries, "query") + ": for others like them"
}

func (r *inspectReport) print(p *printer) error {
	row := func(name, format string, args ...any) {
		p.printf("%-16s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("index", "%s", r.Index)
	row("format", "%s", r.Format)
	row("rows", "%s, %s of them deleted", count(r.Rows), count(r.Deleted))
	row("dim", "%d", r.Dim)
	row("metric", "%s", r.Metric)
	row("storage", "%s", r.walkedOver())
	row("keep", "%s", r.ranked())
	row("shards", "%d", r.Shards)
	if r.Growing > 0 {
		row("beside them", "%s", many(r.Growing, "vector"))
	}
	if r.Copies > 1 {
		row("copies", "%.2f of each row", r.Copies)
	}
	row("m", "%d", r.M)
	row("base-links", "%d", r.BaseLinks)
	row("ef-construction", "%d", r.EfConstruction)
	row("seed", "%d", r.Seed)
	row("ef", "%d for searches that don't name one", r.Ef)
	if r.Slack > 0 {
		row("slack", "%g with that ef", r.Slack)
	}
	if r.Share > 0 {
		row("share", "%g of the true neighbours in the shards that searches look into, with that ef", r.Share)
	}
	if r.Shards > 1 {
		row("shares", "%s", measuredOn(r.ShareQueries))
	}
	row("links", "%.1f a row on average, %d at most", r.AverageDegree, 2*r.M)
	for level, rows := range r.Levels {
		row(fmt.Sprintf("level %d", level), "%s rows reach no higher", count(rows))
	}
	row("memory", "%s", size(r.MemoryBytes))
	row("on disk", "%s", size(r.FileBytes))
	for _, path := range r.Leftovers {
		row("left over", "%s, of a process that was killed; the next change removes it", path)
	}
	return p.err
}
