package shard

import (
	"fmt"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/vector"
)

// External reports whether the index holds only links and labels, and its rows are attached.
func (x *Index) External() bool { return x.external }

// allExternal reports whether all parts are external.
func (x *Index) allExternal() bool {
	for _, p := range x.parts {
		if p.frozen == nil || p.Config().Storage != rowtype.External {
			return false
		}
	}
	return true
}

// Attach gives an external index its rows, those of all shards in global order. Each shard reads its own where
// they lie: see hnsw.Frozen.Attach. After an error the rows are those of before.
func (x *Index) Attach(rows vector.Matrix, o hnsw.AttachOptions) error {
	release, err := x.changeGraphs("rows")
	if err != nil {
		return err
	}
	defer release()
	if end := x.rowsEnd(); rows.Rows() < end {
		return fmt.Errorf("shard: %d rows for an index of %d elements", rows.Rows(), end)
	}
	for i, p := range x.parts {
		if err := p.frozen.CheckRows(rows.Slice(p.rowsAt, p.rowsEnd), o); err != nil {
			return x.ofPart(i, err)
		}
	}
	if o.Mapped {
		x.faults.Store(true)
	}
	for i, p := range x.parts {
		if err := p.frozen.Attach(rows.Slice(p.rowsAt, p.rowsEnd), o); err != nil {
			return x.ofPart(i, err)
		}
	}
	return nil
}

// AttachPQ gives an external index codes of product quantization, those of all shards in global order or, where
// o.Order is given, that of row i at the place Order[i]. See hnsw.Frozen.AttachPQ.
func (x *Index) AttachPQ(q *pq.Quantizer, codes []byte, o hnsw.AttachPQOptions) error {
	release, err := x.changeGraphs("rows")
	if err != nil {
		return err
	}
	defer release()
	end := x.rowsEnd()
	switch {
	case o.Order != nil && len(o.Order) < end:
		return fmt.Errorf("shard: an order of %d codes for an index of %d elements", len(o.Order), end)
	case o.Order == nil && len(codes) < q.Bytes(end):
		return fmt.Errorf("shard: %d bytes of codes for an index of %d elements of %d", len(codes), end, q.Stride())
	}
	if o.Mapped {
		x.faults.Store(true)
	}
	for i, p := range x.parts {
		own, po := codes, o
		if o.Order != nil {
			po.Order = o.Order[p.rowsAt:p.rowsEnd]
		} else {
			own = codes[q.Bytes(p.rowsAt):q.Bytes(p.rowsEnd)]
		}
		if err := p.frozen.AttachPQ(q, own, po); err != nil {
			return x.ofPart(i, err)
		}
	}
	return nil
}

// changeGraphs begins a change of the rows or codes that an external index is searched with, and returns a function
// that ends it.
func (x *Index) changeGraphs(what string) (release func(), err error) {
	x.attaching.Lock()
	x.using.RLock()
	release = func() {
		x.using.RUnlock()
		x.attaching.Unlock()
	}
	switch {
	case x.closed.Load():
		err = hnsw.ErrClosed
	case !x.External():
		err = fmt.Errorf("shard: the index has %s of its own", what)
	}
	if err != nil {
		release()
	}
	return release, err
}

// rowsEnd returns the number of rows that must be attached to an external index.
func (x *Index) rowsEnd() int {
	end := 0
	for _, p := range x.parts {
		end = max(end, p.rowsEnd)
	}
	return end
}

// ofPart adds the number of the shard to an error if there are several shards.
func (x *Index) ofPart(i int, err error) error {
	if len(x.parts) == 1 {
		return err
	}
	return fmt.Errorf("shard %d: %w", i, err)
}
