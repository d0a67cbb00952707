package shard

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
)

// OpenOptions says how to open. The zero value holds all in memory.
type OpenOptions struct {
	Memory   int64      // bytes that the index and searches may keep resident; 0: no bound
	Load     SearchLoad // what searches take of Memory
	Mapped   bool       // map the shards and read what searches need, unchecked, but for the first of them
	Resident int        // shards read into memory if Mapped is set; 0: as many as Memory holds, none if it is 0
	PinUpper bool       // copy the levels above 0 of shards that are mapped into memory
	// RowsApart leaves rows out of the mappings where there are codes: searches read rows as if memory held the rest.
	// Otherwise pages with rows, of which a search uses a few bytes each, drive pages out that all searches use.
	RowsApart bool

	Custom     score.DistanceFunc // of an index of one shard with a custom metric, whose name is CustomName
	CustomName string
}

// ErrMemory reports an index that can't be searched in the memory allowed.
var ErrMemory = errors.New("not enough memory")

// Open opens the index in dir, whose manifest is m and complete. Damage comes as a *store.FormatError.
func Open(ctx context.Context, dir string, m *manifest.Manifest, o OpenOptions) (*Index, error) {
	if err := m.Check(dir); err != nil {
		return nil, err
	}
	if err := m.CheckContent(dir); err != nil {
		return nil, err
	}
	x := &Index{dir: dir, m: m,
		files: store.Options{PinUpper: o.PinUpper, Checked: !o.Mapped, Custom: o.Custom, CustomName: o.CustomName}}
	var err error
	if x.plan, err = planOpen(dir, m, o); err != nil {
		return nil, err
	}
	if err := x.open(ctx, dir, o); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

func (x *Index) open(ctx context.Context, dir string, o OpenOptions) error {
	rows := 0
	for i, s := range x.m.Shards {
		if x.m.Routing != nil && !isShardFile(s.File, i) { // routing tells shards by their numbers
			return corrupt(filepath.Join(dir, manifest.Name), "shards", "shard %d is in %s, not in %s", i, s.File, ShardFile(i))
		}
		mapped := i >= len(x.m.Shards)-x.plan.MappedShards
		p, err := x.openPart(ctx, dir, s, mapped)
		if err != nil {
			return err
		}
		x.parts = append(x.parts, p)
		if err := x.checkPart(p, filepath.Join(dir, s.File), s); err != nil {
			return err
		}
		p.rowsAt, p.rowsEnd = rows, rows+s.Rows
		rows += s.Rows
	}
	x.metric = x.parts[0].Metric()
	if err := x.openDead(dir); err != nil {
		return err
	}
	if err := x.openGrowing(ctx, dir); err != nil {
		return err
	}
	x.begin()
	if x.m.Routing == nil {
		return nil
	}
	var err error
	x.router, err = openRouter(ctx, dir, x.m, x.plan.MappedShards == len(x.m.Shards), x.files)
	return err
}

// checkPart tests that a shard is of the index.
func (x *Index) checkPart(p *part, path string, s manifest.Shard) error {
	c := p.Config()
	switch {
	case p.Len() != s.Rows:
		return corrupt(path, "meta", "%d rows, the manifest says %d", p.Len(), s.Rows)
	case c.Dim != x.m.Dim:
		return corrupt(path, "meta", "%d values a row, the manifest says %d", c.Dim, x.m.Dim)
	case p.blocks != nil && (p.blocks.Dim != c.Dim || p.blocks.M != x.m.M || p.blocks.Type != x.rowType()):
		return corrupt(p.blocks.path, "header", "rows of %d × %v with M %d, those of other shards are %d × %v with %d",
			p.blocks.Dim, p.blocks.Type, p.blocks.M, x.m.Dim, x.rowType(), x.m.M)
	case p.rows != nil && p.rows.place.Type != x.rowType():
		return corrupt(path, "meta", "its rows are %v, those of other shards %v", p.rows.place.Type, x.rowType())
	case c.Metric.String() != x.m.Metric:
		return corrupt(path, "meta", "its metric is %v, the manifest says %s", c.Metric, x.m.Metric)
	}
	return nil
}

// openPart opens a shard, with its rows or without. A shard of few rows has no codes, and needs its rows.
func (x *Index) openPart(ctx context.Context, dir string, s manifest.Shard, mapped bool) (*part, error) {
	path := filepath.Join(dir, s.File)
	info, err := store.Inspect(path)
	if err != nil {
		return nil, err
	}
	if mapped && x.plan.RowsOnDisk && coded(info) {
		f, place, err := store.OpenMappedCodes(ctx, path, x.files)
		return withRows(f, place, path, err)
	}
	if mapped || info.Config.Storage == rowtype.External {
		return openFrozen(ctx, path, mapped, x.files)
	}
	if x.plan.LinksOnDisk && coded(info) {
		return x.openSteered(ctx, dir, s)
	}
	if !x.plan.RowsOnDisk || !coded(info) {
		x, err := store.OpenIndex(ctx, path, x.files)
		if err != nil {
			return nil, err
		}
		return &part{Reader: &x.Reader, close: x.Close, graph: x}, nil
	}
	f, place, err := store.OpenCodes(ctx, path)
	return withRows(f, place, path, err)
}

// withRows returns the part of a graph that was opened with the given error, and of its rows, which stay in the file.
func withRows(f *hnsw.Frozen, place store.RowPlace, path string, err error) (*part, error) {
	if err != nil {
		return nil, err
	}
	rows, err := openRowFile(path, place)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &part{Reader: &f.Reader, rows: rows, close: func() error { return errors.Join(f.Close(), rows.Close()) }}, nil
}

// openSteered opens a shard whose rows and links stay in blocks on disk. Its part of the cache is its share of the
// rows.
func (x *Index) openSteered(ctx context.Context, dir string, s manifest.Shard) (*part, error) {
	f, err := store.OpenSteering(ctx, filepath.Join(dir, s.File))
	if err != nil {
		return nil, err
	}
	stored := 0
	for _, s := range x.m.Shards {
		stored += s.Rows
	}
	b, err := openBlocks(dir, s, int64(float64(x.plan.CacheBytes)*float64(s.Rows)/float64(stored)))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &part{Reader: &f.Reader, blocks: b, close: func() error { return errors.Join(f.Close(), b.close()) }}, nil
}

// openFrozen opens a shard that is mapped, or whose rows are to be attached.
func openFrozen(ctx context.Context, path string, mapped bool, o store.Options) (*part, error) {
	open := store.OpenFrozen
	if mapped {
		open = store.OpenMapped
	}
	f, err := open(ctx, path, o)
	if err != nil {
		return nil, err
	}
	return &part{Reader: &f.Reader, close: f.Close, frozen: f}, nil
}
