package collection

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/postings"
)

// storeMerger adds up the values of keys that are written by pieces. Its name is part of the format of the store.
var storeMerger = &pebble.Merger{
	Name: "shale.collection.1",
	Merge: func(key, value []byte) (pebble.ValueMerger, error) {
		switch {
		case len(key) > 0 && key[0] == thereKey:
			return postings.NewSetMerging(value), nil
		case len(key) <= postingHead || key[0] != postingKey:
		case string(key[postingHead:]) == postings.NumbersTerm:
			return postings.NewNumbersMerging(value)
		default:
			return postings.NewSetMerging(value), nil
		}
		return nil, fmt.Errorf("the values of key %q can't be added up", key)
	},
}
