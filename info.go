package shale

import (
	"fmt"

	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
)

// Info describes an index.
type Info struct {
	Rows           int     `json:"rows"` // those deleted included
	Deleted        int     `json:"deleted"`
	Dim            int     `json:"dim"`
	Metric         string  `json:"metric"`
	Distance       string  `json:"distance,omitempty"` // BuildOptions.DistanceName, if the metric is custom
	Storage        string  `json:"storage"`            // what searches walk over
	Keep           string  `json:"keep"`               // type of the rows that exact distances are computed from, or none
	Shards         int     `json:"shards"`
	Growing        int     `json:"growing,omitempty"` // rows beside the shards, which Add put there
	M              int     `json:"m"`
	BaseLinks      int     `json:"base_links"` // of a new row on level 0
	EfConstruction int     `json:"ef_construction"`
	Seed           uint64  `json:"seed"`
	Ef             int     `json:"ef"`              // of searches whose options have none
	Slack          float32 `json:"slack"`           // of the same searches
	Share          float64 `json:"share,omitempty"` // of the same searches, in an index of several shards
	Levels         []int   `json:"levels"`          // rows by their highest level
	AverageDegree  float64 `json:"average_degree"`
	MemoryBytes    int64   `json:"memory_bytes"` // memory that the index keeps resident
	Coded          bool    `json:"-"`            // whether searches of a single graph walk over codes
	CodeBytes      int64   `json:"code_bytes"`   // memory of the codes; 0 until there are enough rows to train codes on

	// ShareQueries is the number of queries by which tuning measured shares, in an index of several shards. 0 means that
	// the build measured them by rows of the index.
	ShareQueries int `json:"share_queries,omitempty"`

	Copies float64 `json:"copies,omitempty"` // average number of shards that store a row
	Plan   string  `json:"plan,omitempty"`   // what is in memory, if the index has several shards or its rows are on disk
}

// Info describes the index as it is now.
func (x *Index) Info() (Info, error) {
	var i Info
	if err := x.engine.describe(&i); err != nil {
		return Info{}, fmt.Errorf("describe index: %w", err)
	}
	effort := x.effort()
	i.Ef, i.Slack = effort.Ef, effort.Slack
	if i.Shards > 1 {
		i.Share = effort.Share
	}
	return i, nil
}

// effort returns how hard searches look that name no ef: what Tune set, or an ef of 100.
func (x *Index) effort() search.Effort {
	if t := x.tuned.Load(); t != nil {
		return search.Effort{Ef: t.Ef, Slack: t.Slack, Share: t.Share}
	}
	return search.Effort{Ef: request.DefaultEf}
}

// Tune makes e the effort of searches that name no ef. Save keeps it, with the recall of k results measured with it.
func (x *Index) Tune(e search.Effort, k int, recall float64) {
	x.tuned.Store(&manifest.Tuned{Ef: e.Ef, Slack: e.Slack, Share: e.Share, K: k, Recall: recall})
}
