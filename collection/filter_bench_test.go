package collection

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/postings"
	"github.com/shale-search/shale/vector"
)

// benchmarkDocuments is the number of documents of BenchmarkAllowed, unless the environment variable
// SHALE_BENCH_DOCUMENTS says otherwise.
const benchmarkDocuments = 1_000_000

// indexedOnly returns a collection with the postings of n documents, which it doesn't have otherwise.
func indexedOnly(b testing.TB, n uint64) *Collection {
	s := plain(vector.L2)
	s.Indexes = []PayloadIndex{{"share", Keyword}, {"n", Integer}, {"f", Float}}
	c := created(b, s, Options{CacheBytes: 512 << 20, idle: true})
	for chunk := uint64(0); chunk<<postings.ChunkBits < n; chunk++ {
		g, edit := newGrowingPostings(), newDocumentEdit(c.state.there)
		for i := chunk << postings.ChunkBits; i < min((chunk+1)<<postings.ChunkBits, n); i++ {
			hash := i * 0x9e3779b97f4a7c15 >> 11 // spread over 2⁵³
			share := "half"
			switch p := hash % 10_000; {
			case p == 0:
				share = "0.01 %"
			case p < 11:
				share = "0.1 %"
			case p < 111:
				share = "1 %"
			case p < 1111:
				share = "10 %"
			case p >= 5000:
				share = "50 %"
			}
			g.add(c.state.indexes, i, fmt.Appendf(nil, `{"share":%q,"n":%d,"f":%g}`, share, hash%1000, float64(hash>>1)))
			edit.add(i)
		}
		batch := c.db.NewBatch()
		c.state.there = edit.after()
		err := g.record(c, batch, c.state.there, c.state.indexes)
		if err == nil {
			err = edit.record(batch)
		}
		if err == nil {
			err = batch.Commit(pebble.NoSync)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	c.next, c.state.next, c.state.first, c.state.documents = n, n, n, n
	c.state.views[len(c.state.views)-1].First = n
	if err := c.db.Compact(context.Background(), []byte{0}, []byte{0xff}, true); err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkAllowed finds the documents that satisfy a filter, warm.
func BenchmarkAllowed(b *testing.B) {
	n := uint64(benchmarkDocuments)
	if s := os.Getenv("SHALE_BENCH_DOCUMENTS"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			b.Fatal(err)
		}
	}
	c := indexedOnly(b, n)
	for _, q := range []string{
		`{"share": "50 %"}`, `{"share": "10 %"}`, `{"share": "1 %"}`, `{"share": "0.1 %"}`, `{"share": "0.01 %"}`,
		`{"share": "none"}`, `{"n": {"$lt": 500}}`, `{"n": {"$gte": 100, "$lt": 200}}`, `{"n": 7}`,
		`{"f": {"$lt": 2251799813685248}}`, `{"f": {"$lt": 450359962737049}}`, `{"f": {"$lt": 450359962737}}`,
		`{"share": "50 %", "n": {"$lt": 500}}`, `{"share": "1 %", "n": {"$lt": 100}}`, `{"share": {"$ne": "50 %"}}`,
	} {
		filter, err := ParseFilter([]byte(q))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(q, func(b *testing.B) {
			b.ReportAllocs()
			allowed := uint64(0)
			for b.Loop() {
				r, err := c.read()
				if err != nil {
					b.Fatal(err)
				}
				f, err := r.filter(context.Background(), filter)
				if err != nil {
					b.Fatal(err)
				}
				if set := f.allowed(0, n); set != nil {
					allowed, _ = set.Count()
				}
				if err := r.end(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(100*float64(allowed)/float64(n), "%allowed")
		})
	}
}

// BenchmarkFilteredQuery searches 100,000 documents of 64 values with filters.
func BenchmarkFilteredQuery(b *testing.B) {
	const n, dim = 100_000, 64
	s := Schema{
		Vectors: []Vector{{Dim: dim, Metric: vector.L2}},
		Indexes: []PayloadIndex{{"kind", Keyword}, {"n", Integer}},
	}
	c := created(b, s, Options{})
	rnd := rand.New(rand.NewPCG(1, 1))
	point := func() []float32 {
		v := make([]float32, dim)
		for i := range v {
			v[i] = float32(rnd.NormFloat64())
		}
		return v
	}
	for i := range n / 1000 {
		var batch []Document
		for j := range 1000 {
			batch = append(batch, Document{
				ID: NumberID(uint64(1000*i + j)), Vector: point(),
				Payload: fmt.Appendf(nil, `{"kind":"%d","n":%d}`, bits.TrailingZeros(uint(rnd.IntN(1<<14)|1<<13)), rnd.IntN(1000)),
			})
		}
		mustUpsert(b, c, batch...)
	}
	if err := c.Seal(context.Background()); err != nil {
		b.Fatal(err)
	}
	for _, q := range []string{
		`{}`, `{"kind": "0"}`, `{"kind": "3"}`, `{"kind": "6"}`, `{"kind": "9"}`, `{"kind": "13"}`,
		`{"n": {"$lt": 100}}`, `{"kind": "2", "n": {"$gte": 500}}`,
	} {
		filter, err := ParseFilter([]byte(q))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(q, func(b *testing.B) {
			var stats QueryStats
			for b.Loop() {
				mustQuery(b, c, Query{Near: [][]float32{point()}, Filter: filter, Stats: &stats})
			}
			b.ReportMetric(float64(stats.Allowed), "allowed")
		})
	}
	info, err := c.Info()
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%+v", info)
}

// BenchmarkIndexedUpsert writes documents in batches of 100, without indexes and with four.
func BenchmarkIndexedUpsert(b *testing.B) {
	for _, indexes := range [][]PayloadIndex{nil, {
		{"kind", Keyword}, {"n", Integer}, {"f", Float}, {"when", Datetime},
	}} {
		b.Run(fmt.Sprint(len(indexes), " indexes"), func(b *testing.B) {
			s := Schema{Vectors: []Vector{{Dim: 32, Metric: vector.L2}}, Indexes: indexes}
			c := created(b, s, Options{SegmentRows: 1 << 20})
			rnd := rand.New(rand.NewPCG(1, 1))
			n := uint64(0)
			for b.Loop() {
				var batch []Document
				for range 100 {
					batch = append(batch, Document{
						ID: NumberID(n), Vector: randomPoint(rnd, 32, 1),
						Payload: fmt.Appendf(nil, `{"kind":"kind %d","n":%d,"f":%g,"when":"2024-05-%02dT12:00:00Z","text":"%0200d"}`,
							rnd.IntN(200), n, rnd.Float64(), 1+rnd.IntN(28), n),
					})
					n++
				}
				mustUpsert(b, c, batch...)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "documents/s")
		})
	}
}
