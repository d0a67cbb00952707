package shard

import (
	"fmt"
	"path/filepath"
	"slices"
)

// CheckLabels counts the different labels of all shards, which must be as many as the index has rows.
func (x *Index) CheckLabels() []error {
	var all []uint64
	for i, p := range x.parts {
		labels, err := p.Labels()
		if err != nil {
			return []error{fmt.Errorf("shard %d: %w", i, err)}
		}
		all = append(all, labels...)
	}
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != x.m.Rows {
		return []error{corrupt(filepath.Join(x.dir, x.described), "rows", "%d, the shards hold %d different labels", x.m.Rows, n)}
	}
	return nil
}
