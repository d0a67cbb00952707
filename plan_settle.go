package shale

import (
	"cmp"
	"context"
	"errors"

	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/vector"
)

const (
	// sampleRows and sampleBytes bound the rows by which a plan chooses what searches walk over.
	sampleRows  = 4096
	sampleBytes = 64 << 20

	asked = "asked for"
)

// settle decides what the options leave open of Codes and Rows by the source's rows.
func (p *Plan) settle(ctx context.Context) error {
	sample := vector.Matrix{} // none where there is nothing to choose
	if p.o.Distance != nil && p.o.Codes == "" {
		p.o.Codes, p.CodesWhy = Codes(cmp.Or(p.o.Rows, RowsFloat32)), "codes can't estimate a distance of the program's own"
		return p.settleRows(ctx, sample)
	}
	var err error
	if p.o.Codes == "" {
		if sample, err = shard.Sample(ctx, p.src, max(1, min(sampleRows, sampleBytes/(4*p.src.Dim())))); err != nil {
			return err
		}
	}
	s, err := suggest(sample, p.o)
	if err != nil {
		return err
	}
	p.o.Codes, p.CodesWhy = s.codes, s.why
	return p.settleRows(ctx, sample)
}

// settleRows decides which rows are kept, if the options leave it open.
func (p *Plan) settleRows(ctx context.Context, sample vector.Matrix) error {
	codes, err := hasCodes(p.o.Codes, p.src.Dim())
	switch {
	case err != nil:
		return err
	case p.o.Rows != "":
		p.RowsWhy = asked
		return nil
	case !codes:
		p.RowsWhy = "searches walk over them"
		return nil
	}
	safe, err := p.halfIsSafe(ctx, sample)
	if err != nil {
		return err
	}
	p.o.Rows, p.RowsWhy = RowsFloat32, "half floats would lose what distinguishes these rows"
	if safe {
		p.o.Rows, p.RowsWhy = RowsFloat16, "half floats hold what distinguishes these rows"
	}
	return nil
}

// halfIsSafe reports whether the source's rows can be kept in half precision. Of normalised rows a sample tells that;
// of others all are read, since one may be too large.
func (p *Plan) halfIsSafe(ctx context.Context, sample vector.Matrix) (safe bool, err error) {
	if rows, ok := shard.InMemory(p.src); ok {
		return halfIsSafe(rows, p.o.Metric), nil
	}
	if p.src.Type() != vector.Float32 {
		return true, nil // half precision holds values of the other types as they are
	}
	if p.o.Metric == vector.Cosine {
		if sample.Rows() == 0 {
			if sample, err = shard.Sample(ctx, p.src, halfRows); err != nil {
				return false, err
			}
		}
		return halfIsSafe(sample, vector.Cosine), nil
	}
	enough := errors.New("enough")
	safe = true
	err = p.src.Blocks(ctx, func(_ int, rows vector.Matrix) error {
		if safe = halfIsSafe(rows, p.o.Metric); !safe {
			return enough
		}
		return nil
	})
	if err != nil && err != enough {
		return false, err
	}
	return safe, nil
}
