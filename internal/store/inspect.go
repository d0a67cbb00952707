package store

import (
	"context"

	"github.com/shale-search/shale/internal/hnsw"
)

// Info describes a file by its header and meta section.
type Info struct {
	Version      int
	FileBytes    int64
	Frozen       bool
	CustomMetric bool        // Options.Custom is needed to open it
	Config       hnsw.Config // without the function of a custom metric
	Count        int         // elements, including those marked deleted
	Deleted      int
	TopLevel     int // −1 if there are no elements
	Entry        uint32
	UpperLists   int // lists above level 0
	RowStride    int // bytes from one row to the next
	Sections     []Section
}

// Section returns the section of kind k.
func (i *Info) Section(k Kind) Section { return i.Sections[k-1] }

// Inspect reads and checks the header and the meta section of an index file, and nothing else.
func Inspect(path string) (Info, error) {
	var info Info
	err := withHead(context.Background(), path, func(l *loader) error {
		info = l.info()
		return nil
	})
	return info, err
}

func (l *loader) info() Info {
	m, c := l.meta, l.meta.config()
	c.CustomName = l.h.custom
	return Info{
		Version: Version, FileBytes: l.h.length,
		Frozen: m.has(flagFrozen), CustomMetric: m.has(flagCustomMetric), Config: c,
		Count: int(m.Count), Deleted: int(m.Deleted), TopLevel: int(m.TopLevel), Entry: m.Entry,
		UpperLists: int(m.UpperLists), RowStride: int(m.RowStride), Sections: l.h.sections,
	}
}
