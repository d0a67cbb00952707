package shale_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/vector"
)

func TestShardsThatDontChangeKeepTheirFiles(t *testing.T) {
	rows := random(t, 600, 8, 1)
	path := shardsAt(t, rows, 0)
	names := func() []string {
		t.Helper()
		entries, err := os.ReadDir(path)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	before := names()
	reader := reopened(t, path, shale.OpenOptions{})
	x := reopened(t, path, shale.OpenOptions{Mapped: true})
	if err := x.Delete(5); err != nil {
		t.Fatal(err)
	}
	other := reopened(t, path, shale.OpenOptions{})
	if err := x.Save(ctx, path, shale.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if after := names(); !slices.Equal(after, append([]string{"dead.000002.marks"}, before...)) {
		t.Errorf("the files %v became %v by a deletion", before, after)
	}
	if reader.Deleted() != 0 || reader.Len() != 600 {
		t.Error("an index that was open before has changed")
	}
	if err := errors.Join(other.Delete(6), other.Save(ctx, path, shale.SaveOptions{})); !errors.Is(err, shale.ErrChanged) {
		t.Errorf("a save over the change of another gave %v", err)
	}
	again := reopened(t, path, shale.OpenOptions{})
	if again.Deleted() != 1 {
		t.Errorf("%d rows are deleted, not 1", again.Deleted())
	}
}

func TestSeveralShardsAreSavedElsewhere(t *testing.T) {
	rows := random(t, 500, 8, 3)
	path, table := shardsAt(t, rows, 1.4), keep(rows)
	for name, format := range map[string]shale.Format{
		"directory": shale.Directory, "file.shale": shale.File, "index.bin": shale.Hnswlib,
	} {
		t.Run(name, func(t *testing.T) {
			x, to := reopened(t, path, shale.OpenOptions{Mapped: true}), filepath.Join(t.TempDir(), name)
			own := *table
			own.rows, own.deleted = map[uint64][]float32{}, map[uint64]bool{}
			for l, row := range table.rows {
				own.rows[l] = row
			}
			if err := errors.Join(x.Delete(1, 2, 3), x.Add(900, vector.Row[float32](random(t, 1, 8, 5), 0))); err != nil {
				t.Fatal(err)
			}
			own.put(900, vector.Row[float32](random(t, 1, 8, 5), 0))
			last := 0
			err := x.Save(ctx, to, shale.SaveOptions{Format: format, Progress: func(done, total int) {
				if done < last || total != 498 {
					t.Errorf("%d of %d after %d", done, total, last)
				}
				last = done
			}})
			if err != nil {
				t.Fatal(err)
			}
			for l := range uint64(3) {
				if own.deleted[l+1] = true; format != shale.Directory {
					delete(own.rows, l+1) // which one graph leaves out
					delete(own.deleted, l+1)
				}
			}
			if (last == 498) != (format != shale.Directory) {
				t.Errorf("progress ended at %d rows", last)
			}
			verified(t, to)
			y := reopened(t, to, shale.OpenOptions{Metric: vector.L2})
			own.check(t, y, 900)
			if info, err := y.Info(); err != nil || (info.Shards == 4) != (format == shale.Directory) {
				t.Errorf("%d shards, %v", info.Shards, err)
			}
			if format == shale.Directory { // which x lies in now
				if err := errors.Join(x.Delete(8), x.Save(ctx, to, shale.SaveOptions{})); err != nil {
					t.Fatal(err)
				}
				own.deleted[8] = true
				own.check(t, reopened(t, to, shale.OpenOptions{}))
			}
		})
	}
	verified(t, path)
	table.check(t, reopened(t, path, shale.OpenOptions{}))
}
