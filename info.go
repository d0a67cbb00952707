package shale

import (
	"fmt"

	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
)

// Info describes an index.
type Info struct {
	Rows           int     `json:"rows"` // those deleted included
	Deleted        int     `json:"deleted"`
	Dim            int     `json:"dim"`
	Metric         string  `json:"metric"`
	Storage        string  `json:"storage"` // what searches walk over
	Keep           string  `json:"keep"`    // the rows that distances told come from, or none
	Shards         int     `json:"shards"`
	M              int     `json:"m"`
	BaseLinks      int     `json:"base_links"` // of a new row on level 0
	EfConstruction int     `json:"ef_construction"`
	Seed           uint64  `json:"seed"`
	Ef             int     `json:"ef"`              // that searches use unless told otherwise
	Slack          float32 `json:"slack"`           // and the slack, then
	Share          float64 `json:"share,omitempty"` // and the share, of an index of several shards
	Levels         []int   `json:"levels"`          // rows by their highest level
	AverageDegree  float64 `json:"average_degree"`
	MemoryBytes    int64   `json:"memory_bytes"` // what the index keeps resident
	CodeBytes      int64   `json:"code_bytes"`   // of these; 0 until there are rows enough to train codes on

	// ShareQueries is the number of queries that tuning measured shares on, of an index of several shards; 0:
	// the build measured them on rows.
	ShareQueries int `json:"share_queries,omitempty"`

	Copies float64 `json:"copies,omitempty"` // rows stored for each row, of an index of several shards
	Plan   string  `json:"plan,omitempty"`   // what lies in memory, of an index of several shards or with rows on disk
}

// Info describes the index as it is now.
func (x *Index) Info() (Info, error) {
	if x.shards != nil {
		return x.shardsInfo()
	}
	s, err := x.graph.Stats()
	if err != nil {
		return Info{}, fmt.Errorf("describe index: %w", err)
	}
	c := x.graph.Config()
	storage, keep := storageOf(c)
	effort := x.Effort()
	return Info{
		Rows: s.Elements, Deleted: s.Deleted, Dim: c.Dim, Metric: c.Metric.String(),
		Storage: storage, Keep: keep, Shards: 1,
		M: c.M, BaseLinks: c.BaseLinks, EfConstruction: c.EfConstruction, Seed: c.Seed, Ef: effort.Ef, Slack: effort.Slack,
		Levels: s.Levels, AverageDegree: s.Degree.Average, MemoryBytes: s.Memory.Total(), CodeBytes: s.Memory.Codes,
	}, nil
}

func (x *Index) shardsInfo() (Info, error) {
	s, err := x.shards.Stats()
	if err != nil {
		return Info{}, fmt.Errorf("describe index: %w", err)
	}
	m, effort := x.shards.Manifest(), x.Effort()
	shareQueries := 0
	copies := 1.0
	if m.Routing != nil {
		copies, shareQueries = m.Routing.Copies, m.Routing.Queries
	}
	return Info{
		Rows: m.Rows, Deleted: m.Deleted, Dim: m.Dim, Metric: m.Metric, Storage: m.Storage, Keep: m.Keep, Shards: len(m.Shards),
		M: m.M, BaseLinks: m.BaseLinks, EfConstruction: m.EfConstruction, Seed: m.Seed, Ef: effort.Ef, Slack: effort.Slack, Share: effort.Share,
		Levels: s.Levels, AverageDegree: s.Degree.Average, MemoryBytes: s.Memory.Total(), CodeBytes: s.Memory.Codes,
		Copies: copies, ShareQueries: shareQueries, Plan: x.shards.Plan().String(),
	}, nil
}

// Effort returns how hard searches look that name no ef: what Tune set, or an ef of search.DefaultEf.
func (x *Index) Effort() search.Effort {
	if t := x.tuned.Load(); t != nil {
		return search.Effort{Ef: t.Ef, Slack: t.Slack, Share: t.Share}
	}
	return search.Effort{Ef: search.DefaultEf}
}

// Tune makes e the effort of searches that name no ef. Save keeps it, with the recall of k results measured with it.
func (x *Index) Tune(e search.Effort, k int, recall float64) {
	x.tuned.Store(&manifest.Tuned{Ef: e.Ef, Slack: e.Slack, Share: e.Share, K: k, Recall: recall})
}
