package shard

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/shale-search/shale/internal/store/manifest"
)

// Reachable returns the number of elements that links of level 0 reach from the entry points of their shards.
func (x *Index) Reachable() (int, error) {
	return x.sumOfParts(func(p *part) (int, error) { return p.Reachable() })
}

// Unreachable returns the number of elements that aren't marked deleted and that no such link reaches.
func (x *Index) Unreachable() (int, error) {
	return x.sumOfParts(func(p *part) (int, error) { return p.Unreachable() })
}

func (x *Index) sumOfParts(count func(*part) (int, error)) (sum int, err error) {
	for i, p := range x.all() {
		n, err := count(p)
		if err != nil {
			return 0, x.ofPart(i, err)
		}
		sum += n
	}
	return sum, nil
}

// CheckLabels counts the distinct labels of all shards and the deleted ones among them, and returns an error if a count
// differs from the manifest.
func (x *Index) CheckLabels() []error {
	var all []uint64
	for i, p := range x.all() {
		labels, err := p.Labels()
		if err != nil {
			return []error{fmt.Errorf("shard %d: %w", i, err)}
		}
		all = append(all, labels...)
	}
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != x.m.Rows {
		return []error{corrupt(filepath.Join(x.dir, manifest.Name), "rows",
			"%d, the shards hold %d different labels", x.m.Rows, n)}
	}
	found, err := x.Findable()
	if err != nil {
		return []error{err}
	}
	if n := x.m.Rows - len(found); n != x.m.Deleted {
		return []error{corrupt(filepath.Join(x.dir, manifest.Name), "deleted",
			"%d, in all shards that hold them %d labels are", x.m.Deleted, n)}
	}
	return x.checkReplaced()
}

// checkReplaced tests that the rows of shards are dead whose labels the growing segment has, and how many there are.
func (x *Index) checkReplaced() []error {
	if x.growing == nil {
		return nil
	}
	labels, err := x.growing.Labels()
	if err != nil {
		return []error{fmt.Errorf("growing segment: %w", err)}
	}
	found, err := x.locate(labels)
	if err != nil {
		return []error{err}
	}
	if len(found) != x.m.Growing.Replaced {
		return []error{corrupt(filepath.Join(x.dir, manifest.Name), "growing",
			"%d of its labels are in shards too, in fact %d", x.m.Growing.Replaced, len(found))}
	}
	for label, at := range found {
		for _, r := range at.rows {
			if !r.dead {
				return []error{corrupt(filepath.Join(x.dir, manifest.Name), "dead",
					"the row of label %d in shard %d is alive, and the growing segment has another", label, r.part)}
			}
		}
	}
	return nil
}

// CheckRouting returns an error for each shard with rows but no centroid: searches would hardly ever find its rows.
func (x *Index) CheckRouting() []error {
	if x.router == nil {
		return nil
	}
	labels, err := x.router.index.Labels()
	if err != nil {
		return []error{fmt.Errorf("routing: %w", err)}
	}
	led := make([]bool, len(x.parts))
	for _, l := range labels {
		led[l>>32] = true
	}
	var errs []error
	for i, p := range x.parts {
		if !led[i] && p.Len() > 0 {
			errs = append(errs, corrupt(filepath.Join(x.dir, x.m.Routing.File), "centroids",
				"none is of shard %d, of %d rows", i, p.Len()))
		}
	}
	return errs
}
