package hnsw

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
)

// An index in a file keeps a checksum of each element's label and row, or of its code if no rows are kept. The disk
// writes the pages of a mapping in any order, and after a power cut any page may hold its earlier content: the checksum
// shows whether an element is complete.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum returns a checksum over the label and the content of element id; it is never 0.
func (g *graph) sum(id uint32) uint32 {
	label := g.label(id) * 0x9e3779b97f4a7c15
	return crc32.Update(uint32(label>>32)^uint32(label), castagnoli, g.content(id)) | 1
}

// noteSum keeps the sum of an element whose label and content are written.
func (g *graph) noteSum(id uint32) {
	if g.sums != nil {
		g.sums[id] = g.sum(id)
	}
}

// checkSums returns the elements among the first n that aren't what they were when they were written.
func (g *graph) checkSums(n int) (wrong []uint32) {
	if g.sums == nil {
		return nil
	}
	for id := range uint32(n) {
		if g.ready.get(id) && g.sums[id] != g.sum(id) {
			wrong = append(wrong, id)
		}
	}
	return wrong
}

// CheckSums reads all rows of an index in a file and tests their checksums. The error is an *ImageError that names the
// first wrong rows. Changes wait meanwhile.
func (x *Index) CheckSums() error {
	return x.WithImage(func(*Image) error {
		g := x.graph.Load()
		if wrong := g.checkSums(x.Len()); len(wrong) > 0 {
			return g.wrongRows(wrong)
		}
		return nil
	})
}

// wrongRows returns the error about elements that aren't what was written.
func (g *graph) wrongRows(wrong []uint32) error {
	const most = 5
	var labels []string
	for _, id := range wrong[:min(len(wrong), most)] {
		labels = append(labels, fmt.Sprint(g.label(id)))
	}
	if len(wrong) > most {
		labels = append(labels, "…")
	}
	return &ImageError{"Rows", int(slices.Min(wrong)),
		fmt.Sprintf("%d rows aren't what was written, those of the labels %s "+
			"(DropDamaged opens the index without them)", len(wrong), strings.Join(labels, ", "))}
}
