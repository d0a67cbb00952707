package collection

// mergeCandidate is what the choice of a merge goes by: the documents of a sealed segment.
type mergeCandidate struct{ rows, dead int }

func (m mergeCandidate) live() int { return max(m.rows-m.dead, 0) }

// worn reports whether more than the share mostDead of the rows is dead, so that the segment should be rewritten
// without them.
func (m mergeCandidate) worn() bool { return float64(m.dead) > mostDead*float64(m.rows) }

const (
	// mergeWidth is how many segments of about the same size become one. Fewer of them make queries faster, more of them
	// write each row less often.
	mergeWidth = 4
	// mostDead is the share of dead rows above which a segment is written again.
	mostDead = 0.25
	// mostSegments is how many segments slow queries down so much that writing should wait for a merge.
	mostSegments = 40
)

// level returns about the logarithm of a segment's size to the base mergeWidth: 0 for segments as they are sealed.
func (m mergeCandidate) level(segmentRows int) (level int) {
	for limit := 2 * segmentRows; m.live() >= limit; limit *= mergeWidth {
		level++
	}
	return level
}

// chooseMerge picks the segments from … to − 1 to be merged: those of the smallest level of which mergeWidth follow
// each other, with the smaller ones among them; or else a worn one, with its smaller neighbours. They are in the order
// of documents' numbers, so that what is merged is again documents whose numbers follow each other. If nothing is to
// be done, from and to are equal.
func chooseMerge(all []mergeCandidate, segmentRows int) (from, to int) {
	highest := 0
	for _, m := range all {
		highest = max(highest, m.level(segmentRows))
	}
	for level := 0; level <= highest; level++ {
		if from, to := fullLevel(all, segmentRows, level); from < to {
			return from, to
		}
	}
	for i := range all {
		if all[i].worn() {
			return withSmaller(all, i)
		}
	}
	return 0, 0
}

// fullLevel returns the newest run of segments of a level or below, of which mergeWidth are of that level.
func fullLevel(all []mergeCandidate, segmentRows, level int) (from, to int) {
	for to = len(all); to > 0; to = from - 1 {
		of := 0
		for from = to; from > 0 && all[from-1].level(segmentRows) <= level; from-- {
			if all[from-1].level(segmentRows) == level {
				of++
			}
		}
		if of >= mergeWidth {
			return from, to
		}
	}
	return 0, 0
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
	sealed := s.views[:s.unsealed()]
	rows := 0
	for _, v := range sealed {
		rows += v.candidate().rows
	}
	return len(sealed) > mostSegments || rows > 2*int(s.documents)+2*mergeWidth*segmentRows
}
