package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/internal/diskread"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/store/blocks"
	"github.com/shale-search/shale/store/manifest"
	"github.com/shale-search/shale/vector"
)

// blockFile is where rows and links of a shard lie side by side on disk, with the first blocks, which hold the elements near
// the entry point of an index that was reordered, in memory.
type blockFile struct {
	*diskread.File
	blocks.Layout
	path   string
	region *mmap.Region
	cached []byte // the first blocks
}

// blocksFile is the name of the file of blocks that belongs to a shard's file.
func blocksFile(shard string) string { return strings.TrimSuffix(shard, ".shale") + ".blocks" }

// writeBlocks writes the file of blocks of a shard that was just saved.
func writeBlocks(ctx context.Context, dir string, s manifest.Shard, x *hnsw.Index) (manifest.Shard, error) {
	name := blocksFile(s.File)
	sum, err := s.Sum()
	if err != nil {
		return manifest.Shard{}, err
	}
	err = x.WithImage(func(m *hnsw.Image) error { return blocks.Write(ctx, filepath.Join(dir, name), m, sum) })
	if err != nil {
		return manifest.Shard{}, err
	}
	b, err := manifest.Describe(dir, name)
	b.Rows = s.Rows
	return b, err
}

// openBlocks opens the blocks of a shard and reads the first of them, up to cache bytes.
func openBlocks(dir string, s manifest.Shard, cache int64) (*blockFile, error) {
	path := filepath.Join(dir, s.Blocks.File)
	l, of, err := blocks.Inspect(path)
	if err != nil {
		return nil, err
	}
	if sum, err := s.Sum(); err != nil || sum != of {
		return nil, errors.Join(err, corrupt(path, "header", "it belongs to another file than %s", s.File))
	}
	if l.Count != s.Rows {
		return nil, corrupt(path, "header", "%d elements, the manifest says %d", l.Count, s.Rows)
	}
	f, err := diskread.Open(path)
	if err != nil {
		return nil, err
	}
	b := &blockFile{File: f, Layout: l, path: path}
	if err := b.fillCache(cache); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *blockFile) fillCache(bytes int64) error {
	n := int(min(bytes/int64(b.Block), int64(b.Blocks())))
	if n <= 0 {
		return nil
	}
	var err error
	if b.region, err = mmap.Anonymous(n * b.Block); err != nil {
		return err
	}
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := io.NewSectionReader(f, b.Offset(0), int64(n)*int64(b.Block))
	for i := range n {
		block := b.region.Bytes()[i*b.Block:][:b.Block]
		if _, err := io.ReadFull(r, block); err != nil {
			return fmt.Errorf("read %s: %w", b.path, err)
		}
		if err := b.Check(b.path, i, block); err != nil {
			return err
		}
		b.cached = b.region.Bytes()[:(i+1)*b.Block]
	}
	return nil
}

func (b *blockFile) close() error {
	err := b.File.Close()
	if b.region != nil {
		err = errors.Join(err, b.region.Close())
	}
	return err
}

// led reports whether the lane leads the walk of probe i.
func (l *lane) led(i int) bool {
	return l.disk != nil && l.x.parts[l.parts[i]].blocks != nil && l.probes[i].Walking()
}

// beamNodes are expanded together: their blocks are read at once. More make fewer rounds of waiting and more reads.
const beamNodes = 8

// blockWalk leads the walks of a lane's probes over blocks on disk and ranks what it meets by the rows that come with the
// links.
type blockWalk struct {
	stash
	scorer *vector.RowScorer
	links  []uint32 // of each row of the batch
	m0     int
	nodes  []uint32
	spans  []blockSpan
	begun  int
	ended  int
	err    error
	ef     int
	ranks  bool // the batch is of candidates that no walk is to go on from
}

// blockSpan is elements of a batch whose records lie in one block.
type blockSpan struct {
	span
	block int
}

func newBlockWalk(x *Index) (*blockWalk, error) {
	w := &blockWalk{m0: 2 * x.m.M}
	var err error
	if w.stash, w.scorer, err = newStash(x.rowType(), x.metric, x.Dim()); err != nil {
		return nil, err
	}
	w.links = make([]uint32, batchRows*w.m0)
	return w, nil
}

func (w *blockWalk) bind(query []float32) {
	copy(w.scorer.Query(), query)
	w.scorer.BindOwn()
}

// frontier fills the lane's batch with the candidates to expand next: the nearest open ones of all probes, as long as they are
// among the ef nearest met in all of them. It reports false where the walks have ended.
func (w *blockWalk) frontier(l *lane) bool {
	l.batch = l.batch[:0]
	bound := w.bound(l)
	for i, p := range l.probes {
		if !l.led(i) {
			continue
		}
		w.nodes = p.Take(w.nodes[:0], max(1, beamNodes/len(l.probes)), bound)
		for _, id := range w.nodes {
			l.batch = append(l.batch, candidate{hnsw.Candidate{ID: id, Label: p.Label(id)}, uint32(i)})
		}
		if len(l.batch)+beamNodes > batchRows {
			break
		}
	}
	w.ranks = false
	return len(l.batch) > 0
}

// bound is the distance of the ef-th nearest candidate that the walks hold together.
func (w *blockWalk) bound(l *lane) float32 {
	probes := l.probes
	if len(probes) == 1 || slices.ContainsFunc(probes, func(p hnsw.Probe) bool { return !p.Bounded() }) {
		return float32(math.Inf(1))
	}
	w.nodes = append(w.nodes[:0], make([]uint32, len(probes))...) // how many of each are nearer
	bound := float32(math.Inf(1))
	for range w.ef {
		best := 0
		bound = float32(math.Inf(1))
		for i, p := range probes {
			if d := p.EstimateAt(int(w.nodes[i])); d < bound {
				best, bound = i, d
			}
		}
		w.nodes[best]++
	}
	return bound
}

// plan puts elements whose records lie in one block together, and takes at once what is in memory.
func (w *blockWalk) plan(l *lane) {
	file := func(c *candidate) *blockFile { return l.x.parts[l.parts[c.probe]].blocks }
	slices.SortFunc(l.batch, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.probe, b.probe), cmp.Compare(a.ID, b.ID)) })
	w.spans, w.begun, w.ended, w.err = w.spans[:0], 0, 0, nil
	for i := range l.batch {
		c := &l.batch[i]
		b := file(c)
		block := b.BlockOf(c.ID)
		if end := (block + 1) * b.Block; end <= len(b.cached) {
			w.take(l, b, b.cached[end-b.Block:end], i)
			continue
		}
		if n := len(w.spans); n > 0 && w.spans[n-1].block == block && l.batch[w.spans[n-1].from].probe == c.probe {
			w.spans[n-1].to = i + 1
			continue
		}
		w.spans = append(w.spans, blockSpan{span{i, i + 1}, block})
	}
}

// take copies the row and the links of element i of the batch.
func (w *blockWalk) take(l *lane, b *blockFile, block []byte, i int) {
	id := l.batch[i].ID
	copy(w.row(i), b.Row(block, id))
	b.Links(block, id, w.links[i*w.m0:(i+1)*w.m0])
}

// start implements fetcher.
func (w *blockWalk) start(l *lane, r *diskread.Reader, number int) error {
	for w.begun < len(w.spans) && r.Free() > 0 {
		s := w.spans[w.begun]
		b := l.x.parts[l.parts[l.batch[s.from].probe]].blocks
		if err := r.Start(b.File, b.Offset(s.block), b.Block, uint64(number)<<32|uint64(w.begun)); err != nil {
			return err
		}
		l.stats.Reads++
		l.stats.Bytes += int64(b.Block)
		w.begun++
	}
	return nil
}

func (w *blockWalk) started() int { return w.begun }

// arrived implements fetcher.
func (w *blockWalk) arrived(l *lane, number uint32, piece []byte, err error) {
	w.ended++
	if err != nil {
		w.err = fmt.Errorf("blocks: %w", err)
		return
	}
	s := w.spans[number]
	b := l.x.parts[l.parts[l.batch[s.from].probe]].blocks
	if err := b.Check(b.path, s.block, piece); err != nil {
		w.err = err
		return
	}
	for i := s.from; i < s.to; i++ {
		w.take(l, b, piece, i)
	}
}

func (w *blockWalk) complete() bool { return w.ended == len(w.spans) }

// offer ranks the batch by its rows and lets the walks go on by its links.
func (w *blockWalk) offer(l *lane) error {
	if w.err != nil {
		return w.err
	}
	n := len(l.batch)
	w.scorer.Score(w.ids[:n], l.dist)
	for i := range l.batch {
		c := &l.batch[i]
		p := l.probes[c.probe]
		if p.Returns(c.ID) && !(l.copies && l.known(c.Label, nil)) {
			l.offer(c.Label, l.dist[i])
		}
		if !w.ranks {
			p.Expand(w.links[i*w.m0 : (i+1)*w.m0])
		}
	}
	return nil
}
