package shard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"github.com/shale-search/shale/store"
	"github.com/shale-search/shale/store/manifest"
	"github.com/shale-search/shale/vector"
)

// OpenOptions says how to open. The zero value holds all in memory.
type OpenOptions struct {
	Memory int64 // bytes that the index may keep resident; 0: no bound
	Mapped bool  // map the shards and read what searches need, unchecked; Memory has no meaning then
}

// ErrMemory reports an index that can't be searched in the memory allowed.
var ErrMemory = errors.New("not enough memory")

// searchMemory is what searches need beside the index: the program, its heap and buffers.
const searchMemory = 24 << 20

// Open opens the index in dir, whose manifest is m and complete. Damage comes as a *store.FormatError.
func Open(ctx context.Context, dir string, m *manifest.Manifest, o OpenOptions) (*Index, error) {
	if err := m.Check(dir); err != nil {
		return nil, err
	}
	x := &Index{dir: dir, m: m}
	var err error
	if x.plan, err = planOpen(dir, m, o); err != nil {
		return nil, err
	}
	if err := x.open(ctx, dir); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

func (x *Index) open(ctx context.Context, dir string) error {
	rows := 0
	for _, s := range x.m.Shards {
		p, err := x.openPart(ctx, dir, s)
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
	if rows < x.m.Rows {
		return corrupt(filepath.Join(dir, manifest.Name), "rows", "%d, the shards hold %d", x.m.Rows, rows)
	}
	if x.m.Routing == nil {
		return nil
	}
	var err error
	x.router, err = openRouter(ctx, dir, x.m)
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
func (x *Index) openPart(ctx context.Context, dir string, s manifest.Shard) (*part, error) {
	path := filepath.Join(dir, s.File)
	info, err := store.Inspect(path)
	if err != nil {
		return nil, err
	}
	if x.plan.Mapped || info.Config.Storage == vector.External {
		return openFrozen(ctx, path, x.plan.Mapped)
	}
	if x.plan.LinksOnDisk && coded(info) {
		return x.openSteered(ctx, dir, s)
	}
	if !x.plan.RowsOnDisk || !coded(info) {
		x, err := store.OpenIndex(ctx, path, store.Options{})
		if err != nil {
			return nil, err
		}
		return &part{Reader: &x.Reader, close: x.Close}, nil
	}
	f, place, err := store.OpenCodes(ctx, path)
	if err != nil {
		return nil, err
	}
	rows, err := openRowFile(path, place)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &part{Reader: &f.Reader, rows: rows, close: func() error { return errors.Join(f.Close(), rows.Close()) }}, nil
}

// openSteered opens a shard whose rows and links stay in blocks on disk. Its part of the cache is its share of the rows.
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
func openFrozen(ctx context.Context, path string, mapped bool) (*part, error) {
	open := store.OpenFrozen
	if mapped {
		open = store.OpenMapped
	}
	f, err := open(ctx, path, store.Options{})
	if err != nil {
		return nil, err
	}
	return &part{Reader: &f.Reader, close: f.Close, frozen: f}, nil
}

func planOpen(dir string, m *manifest.Manifest, o OpenOptions) (Plan, error) {
	if !o.Mapped {
		return PlanSearch(dir, m, o.Memory)
	}
	p := Plan{Mapped: true}
	for _, s := range m.Shards {
		p.DiskBytes += s.Bytes
	}
	if m.Routing != nil {
		p.MemoryBytes = m.Routing.Bytes
	}
	return p, nil
}

// PlanSearch picks what lies in memory, given bytes of it, 0 meaning no bound. It reads no more than the beginning of each
// shard.
func PlanSearch(dir string, m *manifest.Manifest, memory int64) (Plan, error) {
	if memory <= 0 {
		memory = math.MaxInt64
	}
	rest := int64(searchMemory)
	onDisk, hold := int64(0), int64(0)
	links, inBlocks := int64(0), int64(0) // of shards that can be searched by codes
	blocks := true                        // they all have files of blocks
	for _, s := range m.Shards {
		info, err := store.Inspect(filepath.Join(dir, s.File))
		if err != nil {
			return Plan{}, err
		}
		vectors := int64(info.Count) * int64(info.RowStride)
		rest += s.Bytes - vectors
		if coded(info) {
			onDisk += vectors
			links += info.Section(store.Links0).Length
			if blocks = blocks && s.Blocks != nil; blocks {
				inBlocks += s.Blocks.Bytes
			}
		} else {
			hold += vectors
		}
	}
	if m.Routing != nil {
		rest += m.Routing.Bytes
	}
	switch all := rest + hold + onDisk; {
	case all <= memory:
		return Plan{MemoryBytes: all}, nil
	case onDisk > 0 && rest+hold <= memory:
		return Plan{RowsOnDisk: true, MemoryBytes: rest + hold, DiskBytes: onDisk}, nil
	case onDisk > 0 && blocks && rest+hold-links <= memory:
		cache := min(memory-(rest+hold-links), inBlocks)
		return Plan{RowsOnDisk: true, LinksOnDisk: true, MemoryBytes: rest + hold - links + cache, CacheBytes: cache, DiskBytes: inBlocks}, nil
	case onDisk > 0 && blocks:
		return Plan{}, fmt.Errorf("%w: codes alone need %d MiB, %d MiB are allowed: allow more, or build with codes of fewer bits",
			ErrMemory, (rest+hold-links)>>20, memory>>20)
	case onDisk > 0:
		return Plan{}, fmt.Errorf("%w: links and codes alone need %d MiB, %d MiB are allowed: allow more, or build with blocks, a smaller M or codes of fewer bits",
			ErrMemory, (rest+hold)>>20, memory>>20)
	}
	return Plan{}, fmt.Errorf("%w: the index needs %d MiB, %d MiB are allowed: allow more, or build it with codes, whose rows can stay on disk",
		ErrMemory, (rest+hold)>>20, memory>>20)
}

// coded reports whether a shard can be searched by its codes while its rows stay on disk.
func coded(info store.Info) bool {
	return info.Config.Storage != vector.NoRows && info.Section(store.Codes).Length > 0
}
