package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

const (
	// mostBlock and leastBlock bound the bytes of queries and results that are in memory at a time, and
	// blockShare is their part of --memory.
	mostBlock  = 64 << 20
	leastBlock = 256 << 10
	blockShare = 16
)

// queryFile is a file of queries that are read block by block.
type queryFile struct {
	*datafile.File
	path  string
	block []byte
	rows  int // that a block holds
}

// openQueries opens a file of queries that are answered with k neighbours each. Queries are read in blocks whose size
// follows from memory, in bytes; 0 means no bound.
func openQueries(ctx context.Context, path string, k int, memory int64) (*queryFile, error) {
	f, err := within(ctx, func() (*datafile.File, error) { return datafile.OpenOnce(path) })
	if err != nil {
		return nil, explainVectors(err, path)
	}
	bytes := int64(mostBlock)
	if memory > 0 {
		bytes = min(max(memory/blockShare, leastBlock), mostBlock)
	}
	each := int64(f.Dim()*f.Type().Size()) + 20*int64(k)
	q := &queryFile{File: f, path: path, rows: int(min(max(bytes/each, 1), int64(f.Rows())))}
	q.block = make([]byte, q.rows*f.Dim()*f.Type().Size())
	return q, nil
}

// next reads the next block. At the end it has no rows.
func (q *queryFile) next(ctx context.Context) (rows vector.Matrix, err error) {
	n, err := within(ctx, func() (int, error) { return q.Read(q.block) })
	if errors.Is(err, io.EOF) {
		return vector.Matrix{}, nil
	}
	if err != nil {
		return rows, err
	}
	return vector.FromBytes(q.block, q.Type(), n, q.Dim(), 0)
}

// answering is a search for the queries of a file, block by block.
type answering struct {
	index   *shale.Index
	queries *queryFile
	k       int
	o       search.Options
	inRange *rangeFlags    // nil: the k nearest are searched for
	found   search.Results // of the present block
	within  *search.RangeResults
	rows    int     // its queries; 0: there are no more
	done    int     // queries of the blocks before it
	seconds float64 // that searching took
}

// next answers the next block.
func (a *answering) next(ctx context.Context) error {
	a.done += a.rows
	queries, err := a.queries.next(ctx)
	if err != nil {
		return err
	}
	a.rows = queries.Rows()
	if a.rows == 0 {
		return nil
	}
	took, err := timed(func() error { return a.answer(ctx, queries) })
	a.seconds += took
	if err != nil && a.done > 0 {
		err = fmt.Errorf("from query %d on: %w", a.done, err)
	}
	if err != nil {
		return fmt.Errorf("search for %s: %w", a.queries.path, err)
	}
	return nil
}

// answer searches for the rows of queries. Blocks after the first use the memory of the results before.
func (a *answering) answer(ctx context.Context, queries vector.Matrix) error {
	if a.inRange != nil {
		within, err := a.index.RangeBatch(ctx, queries, a.inRange.radius, a.inRange.limit, a.o)
		a.within = within
		return err
	}
	if a.found.K > 0 {
		return inside.Of(a.index).SearchBatchInto(ctx, queries, &a.found, a.o)
	}
	found, err := a.index.SearchBatch(ctx, queries, a.k, a.o)
	if err == nil {
		a.found = *found
	}
	return err
}

// each calls fn with every block from the present one on, which next has answered.
func (a *answering) each(ctx context.Context, fn func() error) error {
	for a.rows > 0 {
		if err := fn(); err != nil {
			return err
		}
		if err := a.next(ctx); err != nil {
			return err
		}
	}
	return nil
}

// write writes all results to an npz or a table.
func (a *answering) write(ctx context.Context, path string) error {
	if dataname.OutputFormat(path) != ".npz" {
		return a.writeRows(ctx, path)
	}
	if a.inRange != nil {
		return datafile.WriteRangeResults(path, a.queries.Rows(), func(put func(*search.RangeResults) error) error {
			return a.each(ctx, func() error { return put(a.within) })
		})
	}
	k := a.found.K
	return datafile.WriteResults(path, a.queries.Rows(), k, func(put func([]uint64, []float32) error) error {
		return a.each(ctx, func() error { return put(a.found.Labels[:a.rows*k], a.found.Distances[:a.rows*k]) })
	})
}

// writeRows writes all results to a table, a row for each.
func (a *answering) writeRows(ctx context.Context, path string) error {
	return datafile.WriteResultRows(path, func(put func([]datafile.ResultRow) error) error {
		var rows []datafile.ResultRow
		return a.each(ctx, func() error {
			for q := range a.rows {
				labels, distances := a.of(q)
				rows = rows[:0]
				for i, label := range labels {
					rows = append(rows, datafile.ResultRow{
						Query: int64(a.done + q), Rank: int64(i + 1), Label: label, Distance: distances[i],
					})
				}
				if err := put(rows); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// printBuffer holds what is printed of results: where they are few, nothing is printed before all went well.
const printBuffer = 256 << 10

// printTable prints a line for each neighbour.
func (a *answering) printTable(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, printBuffer)
	p := &printer{w: out}
	p.printf("%8s  %5s  %20s  %12s\n", "query", "rank", "label", "distance")
	err := a.each(ctx, func() error {
		for q := range a.rows {
			labels, distances := a.of(q)
			for i := range labels {
				p.printf("%8d  %5d  %20d  %12.6g\n", a.done+q, i+1, labels[i], distances[i])
			}
		}
		return p.err
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// of returns the neighbours found of a query of the present block.
func (a *answering) of(q int) ([]uint64, []float32) {
	if a.inRange != nil {
		return a.within.Of(q)
	}
	at, n := q*a.found.K, a.found.Counts[q]
	return a.found.Labels[at : at+n], a.found.Distances[at : at+n]
}

// printJSON prints r as one document, with an answer for each query.
func (a *answering) printJSON(ctx context.Context, w io.Writer, r *searchReport) error {
	out := bufio.NewWriterSize(w, printBuffer)
	p := &printer{w: out}
	if a.inRange != nil {
		p.printf(`{"radius":%v,"limit":%d,"ef":%d,"queries":[`, a.inRange.radius, a.inRange.limit, r.Ef)
	} else {
		p.printf(`{"k":%d,"ef":%d,"slack":%v,"queries":[`, r.K, r.Ef, r.Slack)
	}
	err := a.each(ctx, func() error {
		for q := range a.rows {
			labels, distances := a.of(q)
			answer, err := json.Marshal(searchAnswer{labels, distances})
			if err != nil {
				return fmt.Errorf("print JSON: %w", err)
			}
			if a.done+q > 0 {
				p.printf(",")
			}
			p.printf("%s", answer)
		}
		return p.err
	})
	if err != nil {
		return err
	}
	p.printf("],\"seconds\":%v}\n", a.seconds)
	return cmp.Or(p.err, out.Flush())
}
