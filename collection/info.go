package collection

import "errors"

// Info describes a collection.
type Info struct {
	Documents int           `json:"documents"`
	Growing   int           `json:"growing_rows"` // documents of the segments in memory, dead ones included
	Segments  []SegmentInfo `json:"segments"`     // the sealed ones
	Merging   *MergeInfo    `json:"merging,omitempty"`
	// Problem is what kept the background from writing or merging segments, the last time that it tried; empty: nothing.
	Problem string `json:"problem,omitempty"`
}

// SegmentInfo describes a sealed segment.
type SegmentInfo struct {
	Number uint64 `json:"number"`
	Rows   []int  `json:"rows"` // of each vector of the schema, dead ones included
	Dead   int    `json:"dead"` // documents that were deleted or overwritten since
}

// Info describes the collection as it is now.
func (c *Collection) Info() (info Info, err error) {
	r, err := c.read()
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, r.end()) }()
	info.Documents = int(r.documents)
	at := r.unsealed()
	info.Growing = int(r.next - r.views[at].First)
	for _, v := range r.views[:at] {
		info.Segments = append(info.Segments, SegmentInfo{v.number, v.rows, int(v.dead.GetCardinality())})
	}
	info.Merging = c.merging.info()
	if err := errors.Join(c.sealer.problem(), c.merger.problem(), c.pinning.worker.problem()); err != nil {
		info.Problem = err.Error()
	}
	return info, nil
}
