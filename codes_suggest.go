package shale

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/shale-search/shale/internal/coding"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

const (
	// suggestRows and suggestQueries are how much of a sample suggest looks at.
	suggestRows    = 2048
	suggestQueries = 64
	// suggestK is the rank of the neighbours that codes must tell apart from those of twice the rank.
	suggestK = 10
	// blurred is the share of the gap between those that an estimate's standard error may be. Of word vectors (GloVe-100),
	// 2 bits are at 1.1: walks over them need three times the rows for their re-rank and lose a hundredth of recall.
	blurred = 1
)

// suggestion is a choice and its reason.
type suggestion struct {
	codes Codes // one that BuildOptions.Codes may name; not ""
	why   string
}

// suggest picks what searches walk over for rows like those of sample, if o leaves it open; otherwise it returns
// o.Codes. It takes codes by the length of rows, encodes some rows and compares how far estimates are off with
// how far true neighbours lie apart: where codes can't tell those apart, which is so for tight groups of rows far from
// each other, it takes longer codes, and in the end rows. The same sample gives the same choice.
func suggest(sample vector.Matrix, o BuildOptions) (suggestion, error) {
	codes, rows, err := o.layout(sample.Dim(), false)
	if err != nil {
		return suggestion{}, err
	}
	if o.Codes != "" {
		return suggestion{o.Codes, asked}, nil
	}
	storage := autoCodes(sample.Dim(), rows)
	switch {
	case codes.Bits == 0:
		return suggestion{storage, fmt.Sprintf("rows of %d values are as short as codes", sample.Dim())}, nil
	case sample.Rows() < 8*suggestK:
		return suggestion{storage, fmt.Sprintf("the rule for %d values a row; too few rows to check it by", sample.Dim())},
			nil
	}
	blur, err := newBlur(sample, o.Metric)
	if err != nil {
		return suggestion{}, fmt.Errorf("suggest a storage: %w", err)
	}
	var last float64
	for _, s := range longer(storage) {
		_, codes, err := coding.ParseCodes(string(s))
		if err == nil {
			last, err = blur.of(codes)
		}
		if err != nil {
			return suggestion{}, err
		}
		if last <= blurred {
			return suggestion{s, "its " + offBy(last)}, nil
		}
	}
	return suggestion{walkOver(rows), "8-bit " + offBy(last)}, nil
}

func offBy(share float64) string {
	return fmt.Sprintf("estimates are off by %.2g of the gap between neighbours %d and %d", share, suggestK, 2*suggestK)
}

// rabitq lists RaBitQ's codes by their bits.
var rabitq = []Codes{RaBitQ1, RaBitQ2, RaBitQ3, RaBitQ4, RaBitQ8}

// longer lists s, one of RaBitQ's codes, and those with more bits.
func longer(s Codes) []Codes { return rabitq[slices.Index(rabitq, s):] }

// blur measures how well codes tell neighbours apart, on some rows and queries like them.
type blur struct {
	rows    vector.Matrix // float32, normalised if the metric asks for it
	queries [][]float32
	center  []float32
	metric  vector.Metric
	near    [][2]neighbour // of each query those of ranks suggestK and twice that
}

type neighbour struct {
	id       uint32
	distance float32
}

// newBlur takes rows and queries from places spread over the sample. Rows that aren't finite, which no index takes, are
// left out.
func newBlur(sample vector.Matrix, m vector.Metric) (*blur, error) {
	dim := sample.Dim()
	n := min(sample.Rows(), suggestRows+suggestQueries)
	data, taken := make([]float32, n*dim), 0
	for _, at := range rand.New(rand.NewPCG(uint64(sample.Rows()), uint64(dim))).Perm(n) {
		row := data[taken*dim : (taken+1)*dim]
		sample.Decode(at*sample.Rows()/n, row)
		if !quant.Encodable(row) {
			continue
		}
		if m == vector.Cosine {
			vector.Normalize(row)
		}
		taken++
	}
	asked := min(suggestQueries, taken/4)
	kept := taken - asked
	b := &blur{metric: m, center: make([]float32, dim)}
	for i := range taken {
		row := data[i*dim : (i+1)*dim]
		if i >= kept {
			b.queries = append(b.queries, row)
			continue
		}
		for j, v := range row {
			b.center[j] += v / float32(kept)
		}
	}
	var err error
	if b.rows, err = vector.Of(data[:kept*dim], dim); err != nil {
		return nil, err
	}
	return b, b.find()
}

// find fills in near.
func (b *blur) find() error {
	s, err := score.New(b.rows, b.metric, nil)
	if err != nil {
		return err
	}
	n := b.rows.Rows()
	if n < 2*suggestK {
		return nil // nothing to go by
	}
	ids, dist, all := make([]uint32, n), make([]float32, n), make([]neighbour, n)
	for i := range ids {
		ids[i] = uint32(i)
	}
	for _, q := range b.queries {
		copy(s.Query(), q)
		s.BindOwn()
		s.Score(ids, dist)
		for i, d := range dist {
			all[i] = neighbour{ids[i], d}
		}
		slices.SortFunc(all, func(a, b neighbour) int { return cmp.Compare(a.distance, b.distance) })
		b.near = append(b.near, [2]neighbour{all[suggestK-1], all[2*suggestK-1]})
	}
	return nil
}

// of is the standard error of estimates by such codes over the gap between neighbours, the median of the queries.
// Queries whose neighbours are all equally far don't count.
func (b *blur) of(codes hnsw.Codes) (float64, error) {
	q, err := quant.New(quant.Config{Dim: b.rows.Dim(), Metric: b.metric, Kind: codes.Kind, Bits: codes.Bits}, b.center)
	if err != nil {
		return 0, err
	}
	encoded, e := make([]byte, q.Bytes(b.rows.Rows())), q.NewEncoder()
	row := make([]float32, b.rows.Dim())
	for i := range b.rows.Rows() {
		b.rows.Decode(i, row)
		e.Encode(encoded[i*q.Stride():(i+1)*q.Stride()], row)
	}
	s := quant.NewScorer(q, encoded)
	var shares []float64
	for i, near := range b.near {
		if gap := near[1].distance - near[0].distance; gap > 0 {
			s.Bind(b.queries[i])
			shares = append(shares, float64(s.Bound(near[0].id, near[0].distance))/quant.Sigmas/float64(gap))
		}
	}
	if len(shares) == 0 {
		return 0, nil
	}
	slices.Sort(shares)
	return shares[len(shares)/2], nil
}
