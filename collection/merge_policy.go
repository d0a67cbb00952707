package collection

// mergeCandidate is what the choice of a merge goes by: the documents of a sealed segment.
type mergeCandidate struct{ rows, dead int }

func (m mergeCandidate) live() int { return max(m.rows-m.dead, 0) }

// worn reports whether more than the share mostDead of the rows is dead, so that the segment should be rewritten
// without them.
func (m mergeCandidate) worn() bool { return float64(m.dead) > mostDead*float64(m.rows) }

const (
	// mergeWidth is how many segments a merge takes at least. The first segment of a collection takes over the later ones
	// once there are as many. Fewer segments make queries faster, more of them write each row less often.
	mergeWidth = 4
	// growShare bounds how often rows of large segments are written: a segment takes over later ones once they have a row
	// for each growShare of its own.
	growShare = 8
	// mostSmall is how many segments there may be that are too small for the first one to take them over. Then they are
	// merged among themselves.
	mostSmall = 10
	// mostDead is the share of dead rows above which a segment is written again.
	mostDead = 0.25
	// mostSegments is how many segments slow queries down so much that writing should wait for a merge.
	mostSegments = 40
)

// chooseMerge picks the segments from … to − 1 to be merged: one, and all later ones, if those are enough for it; or
// else a worn one, with its smaller neighbours. They are in the order of documents' numbers, so that what is merged is
// again documents whose numbers follow each other. If nothing is to be done, from and to are equal.
func chooseMerge(all []mergeCandidate) (from, to int) {
	for i := range all {
		width := mergeWidth
		if i > 0 {
			width = mostSmall
		}
		if len(all)-i >= width && growShare*liveRows(all[i+1:]) >= all[i].live() {
			return i, len(all)
		}
	}
	for i := range all {
		if all[i].worn() {
			return withSmaller(all, i)
		}
	}
	return 0, 0
}

func liveRows(all []mergeCandidate) (rows int) {
	for _, m := range all {
		rows += m.live()
	}
	return rows
}

// withSmaller returns the run of a segment and its neighbours that together add no more than its own rows.
func withSmaller(all []mergeCandidate, i int) (from, to int) {
	from, to = i, i+1
	room := all[i].live()
	for to < len(all) && all[to].live() <= room {
		room -= all[to].live()
		to++
	}
	for from > 0 && all[from-1].live() <= room {
		room -= all[from-1].live()
		from--
	}
	return from, to
}

// lagsBehind reports whether merging can't keep up with what is written: there are many segments, or more rows in files
// are dead than not.
func (s *state) lagsBehind(segmentRows int) bool {
	all, rows := s.candidates(), 0
	for _, m := range all {
		rows += m.rows
	}
	return len(all) > mostSegments || rows > 2*int(s.documents)+2*mergeWidth*segmentRows
}
