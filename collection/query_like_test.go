package collection

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shale-search/shale/vector"
)

// extrasCase has documents of whole numbers, some of them sealed, whose payloads hold a kind, several kinds or none.
func extrasCase(t *testing.T) (*Collection, []Document) {
	t.Helper()
	c := created(t, plain(vector.L2), Options{})
	random := rand.New(rand.NewPCG(7, 7))
	var all []Document
	for i := range 60 {
		d := Document{ID: NumberID(uint64(i)), Vector: make([]float32, testDim)}
		for j := range testDim {
			d.Vector[j] = float32(random.IntN(20))
		}
		switch i % 5 {
		case 0, 1, 2:
			d.Payload = json.RawMessage(fmt.Sprintf(`{"kind":{"name":"%c"},"n":%d}`, 'a'+i%7, i))
		case 3:
			d.Payload = json.RawMessage(fmt.Sprintf(`{"kind":{"name":["%c",1,"a"]},"n":%d}`, 'a'+i%7, i))
		}
		all = append(all, d)
		mustUpsert(t, c, d)
		if i == 30 {
			if err := c.Seal(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c, all
}

// ranked returns all documents but one by their distances to a query.
func ranked(all []Document, near []float32, but ID) (hits []Hit) {
	for _, d := range all {
		h := Hit{Document: Document{ID: d.ID}}
		for i, x := range d.Vector {
			h.Distance += (x - near[i]) * (x - near[i])
		}
		if d.ID != but {
			hits = append(hits, h)
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(a.Distance, b.Distance) })
	return hits
}

// TestOffsetAndDistance compares parts of results with those of an exact search.
func TestOffsetAndDistance(t *testing.T) {
	c, all := extrasCase(t)
	near, like := []float32{1, 5, 9, 13}, NumberID(40)
	for _, offset := range []int{0, 1, 7, 59, 60, 1000, math.MaxInt} {
		for _, most := range []float32{-1, 0, 50, 200, math.MaxFloat32} {
			q := Query{Near: [][]float32{near}, Like: []ID{like}, K: 8, Offset: offset, MaxDistance: &most, Exact: true}
			hits := mustQuery(t, c, q)
			for i, want := range [][]Hit{ranked(all, near, StringID("")), ranked(all, all[40].Vector, like)} {
				if end := slices.IndexFunc(want, func(h Hit) bool { return h.Distance > most }); end >= 0 {
					want = want[:end]
				}
				want = want[min(offset, len(want)):]
				want = want[:min(8, len(want))]
				if len(hits[i]) != len(want) || len(want) > 0 && text(t, hits[i]) != text(t, want) {
					t.Errorf("offset %d, distance %g: query %d found\n%s\nnot\n%s",
						offset, most, i, text(t, hits[i]), text(t, want))
				}
			}
		}
	}
}

// TestGroups compares groups with those of an exact search.
func TestGroups(t *testing.T) {
	c, all := extrasCase(t)
	near := []float32{1, 5, 9, 13}
	kinds := map[ID][]string{}
	for i, d := range all {
		kind := fmt.Sprintf(`"%c"`, 'a'+i%7)
		switch {
		case i%5 < 3:
			kinds[d.ID] = []string{kind}
		case i%5 == 3 && kind == `"a"`:
			kinds[d.ID] = []string{`"a"`, `1`}
		case i%5 == 3:
			kinds[d.ID] = []string{kind, `1`, `"a"`}
		}
	}
	for _, k := range []int{1, 3, 8, 100} {
		for _, size := range []int{1, 2, 9, 1000} {
			for _, offset := range []int{0, 2, 100} {
				var order []string
				groups := map[string][]Hit{}
				for _, h := range ranked(all, near, StringID("")) {
					for _, kind := range kinds[h.ID] {
						if len(groups[kind]) == 0 {
							order = append(order, kind)
						}
						if h.Group = json.RawMessage(kind); len(groups[kind]) < size {
							groups[kind] = append(groups[kind], h)
						}
					}
				}
				var want []Hit
				order = order[min(offset, len(order)):]
				for _, kind := range order[:min(k, len(order))] {
					want = append(want, groups[kind]...)
				}
				q := Query{Near: [][]float32{near}, K: k, Offset: offset, Exact: true}
				q.GroupBy, q.GroupSize = "kind.name", size
				if got := mustQuery(t, c, q)[0]; len(got) != len(want) || len(want) > 0 && text(t, got) != text(t, want) {
					t.Errorf("%d groups of %d after %d are\n%s\nnot\n%s", k, size, offset, text(t, got), text(t, want))
				}
			}
		}
	}
}

// TestBadExtras asks for what can't be.
func TestBadExtras(t *testing.T) {
	c := created(t, twoVectors(), Options{})
	mustUpsert(t, c, Document{ID: NumberID(1), Vectors: map[string][]float32{"image": {1, 2}}})
	nan := float32(math.NaN())
	near := [][]float32{{1, 2}}
	for name, q := range map[string]Query{
		"offset":   {Near: near, Offset: -1},
		"group":    {Near: near, GroupBy: "a["},
		"size":     {Near: near, GroupBy: "a", GroupSize: -1},
		"large":    {Near: near, GroupBy: "a", GroupSize: mostGroupSize + 1},
		"distance": {Near: near, MaxDistance: &nan},
		"missing":  {Like: []ID{NumberID(2)}},
		"vector":   {Like: []ID{NumberID(1)}, Vector: "text"},
	} {
		q.Vector = cmp.Or(q.Vector, "image")
		if _, err := c.Query(context.Background(), q); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if hits := mustQuery(t, c, Query{Vector: "image", Like: []ID{NumberID(1)}}); len(hits) != 1 || len(hits[0]) != 0 {
		t.Errorf("a document that is alone has others like it: %s", text(t, hits))
	}
	verified(t, c, 1)
}

// TestFields reads parts of payloads.
func TestFields(t *testing.T) {
	c := created(t, plain(vector.L2), Options{})
	d := document(NumberID(1), 1, 1, 2, 3, 4)
	d.Payload = json.RawMessage(`{"a":{"b":1,"c":{"d":2,"e":3}},"x.y":4,"x":{"y":5},"z":[{"a":1}]}`)
	mustUpsert(t, c, d)
	for _, x := range []struct {
		want string
		f    Fields
	}{
		{string(d.Payload), Fields{}},
		{`{"a":{"b":1,"c":{"d":2,"e":3}},"z":[{"a":1}]}`, Fields{Include: []string{"z", "a", "none"}}},
		{`{"a":{"b":1,"c":{"e":3}}}`, Fields{Include: []string{"a.b", "a.c.e", "z.a"}}},
		{`{"x.y":4}`, Fields{Include: []string{"x.y"}}},
		{`{"x":{"y":5},"z":[{"a":1}]}`, Fields{Exclude: []string{"a", "x.y"}}},
		{`{"a":{"c":{"e":3}}}`, Fields{Include: []string{"a"}, Exclude: []string{"a.b", "a.c.d"}}},
		{``, Fields{Include: []string{"none", "a.none"}}},
	} {
		x.f.Payload = true
		found, err := c.Get(context.Background(), x.f, NumberID(1))
		if err != nil || string(found[0].Payload) != x.want {
			t.Errorf("%+v: the payload is %s, not %s, %v", x.f, found[0].Payload, x.want, err)
		}
	}
}
