package shard

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
)

// SaveGraphs writes an external index in Shale's own format to dir, which appears whole or not at all and takes
// the place of one that is there. complete fills in what the manifest says beside the shards. The rows of shards must
// follow each other.
func (x *Index) SaveGraphs(ctx context.Context, dir string, complete func(*manifest.Manifest)) error {
	if !x.External() {
		return errors.New("shard: the index has rows of its own")
	}
	m, c := *x.m, x.parts[0].Config()
	m.Shards, m.Generation = nil, 1
	m.M, m.BaseLinks, m.EfConstruction, m.Seed = c.M, c.BaseLinks, c.EfConstruction, c.Seed
	at := 0
	for i, p := range x.parts {
		if p.rowsAt != at {
			return fmt.Errorf("shard %d has the rows from %d on, those before it end at %d: the index can't be written as one "+
				"whose shards follow each other",
				i, p.rowsAt, at)
		}
		at = p.rowsEnd
	}
	complete(&m)
	return writeDir(dir, IsIndexFile, func(temp string) error {
		for i, p := range x.parts {
			name := ShardFile(i)
			if err := store.Save(ctx, filepath.Join(temp, name), p.frozen); err != nil {
				return fmt.Errorf("shard %d: %w", i, err)
			}
			s, err := manifest.Describe(temp, name)
			if err != nil {
				return err
			}
			s.Rows = p.Len()
			m.Shards = append(m.Shards, s)
		}
		return m.Write(temp)
	})
}

// writeDir makes a directory of what fill writes to another, which then takes its place. It refuses to replace one that
// holds files which aren't own.
func writeDir(dir string, own func(name string) bool, fill func(temp string) error) error {
	if err := checkOwn(dir, own); err != nil {
		return err
	}
	return atomicfile.Dir(dir, true, fill)
}
