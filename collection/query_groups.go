package collection

import (
	"encoding/json"

	"github.com/shale-search/shale/search"
)

// hitGroup is the documents of a group, nearest first.
type hitGroup struct {
	value string
	found []search.Neighbor
}

// firstGrouped is how many documents a query looks at for each that it is to return, before it looks at more.
const firstGrouped = 4

// groups answers a query for groups. It looks at more and more of the nearest documents until they fill the groups.
func (s *searcher) groups(i int) ([]Hit, error) {
	wanted, documents := s.Offset+s.K, max(1, int(s.documents))
	for k := firstGrouped * wanted * s.GroupSize; ; k *= 4 {
		k = min(k, documents)
		found, err := s.nearest(i, k)
		if err != nil {
			return nil, err
		}
		groups, full, err := s.divide(found, wanted)
		if err != nil {
			return nil, err
		}
		if full || len(found) < k || k == documents {
			return s.groupHits(groups[min(s.Offset, len(groups)):])
		}
	}
}

// divide puts documents into the first groups that are wanted. It reports whether all of these are full.
func (s *searcher) divide(found []search.Neighbor, wanted int) (groups []hitGroup, full bool, err error) {
	place := map[string]int{}
	filled := 0
	for _, n := range found {
		doc, err := get(s.snapshot, keyOfNumber(payloadKey, n.Label))
		if err != nil {
			return nil, false, err
		}
		if doc == nil {
			continue
		}
		for _, value := range s.group.Scalars(doc) {
			at, ok := place[value]
			switch {
			case !ok && len(groups) == wanted, ok && len(groups[at].found) == s.GroupSize:
				continue
			case !ok:
				at = len(groups)
				place[value] = at
				groups = append(groups, hitGroup{value: value})
			}
			if groups[at].found = append(groups[at].found, n); len(groups[at].found) == s.GroupSize {
				filled++
			}
		}
		if filled == wanted {
			return groups, true, nil
		}
	}
	return groups, false, nil
}

// groupHits reads the documents of groups.
func (s *searcher) groupHits(groups []hitGroup) (hits []Hit, err error) {
	for _, g := range groups {
		for _, n := range g.found {
			d, err := s.document(n.Label, s.Fields)
			if err != nil {
				return nil, err
			}
			hits = append(hits, Hit{d, n.Distance, json.RawMessage(g.value)})
		}
	}
	return hits, nil
}
