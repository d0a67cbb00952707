package collection

import "errors"

// Info describes a collection.
type Info struct {
	Documents int           `json:"documents"`
	Growing   int           `json:"growing_rows"` // documents of the segment in memory, dead ones included
	Segments  []SegmentInfo `json:"segments"`     // the sealed ones
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
	grow := r.growing()
	info.Growing = int(r.next - r.views[grow].First)
	for _, v := range r.views[:grow] {
		info.Segments = append(info.Segments, SegmentInfo{v.number, v.Rows, int(v.dead.GetCardinality())})
	}
	return info, nil
}
