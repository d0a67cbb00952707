package shard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shale-search/shale/internal/diskread"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/store/blocks"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
)

// blockFile is a file that holds the rows and links of a shard side by side. Its first blocks, which hold the elements
// near the entry point if the index was reordered, are in memory.
type blockFile struct {
	*diskread.File
	blocks.Layout
	path   string
	region *mmap.Region
	cached []byte // the first blocks
}

// blocksFile returns the name of the file of blocks that belongs to a shard's file.
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
	f, err := vfs.Open(b.path)
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
	return l.disk != nil && l.x.part(l.parts[i]).blocks != nil && l.probes[i].Walking()
}

// beamNodes are expanded together: their blocks are read at once. More make fewer rounds of waiting and more reads.
const beamNodes = 8

// blockWalk leads the walks of a lane's probes over blocks on disk, a layout in which links come with the rows.
type blockWalk struct {
	links []uint32 // of each candidate of the batch
	m0    int
	nodes []uint32
	near  []int // candidates of each probe that are nearer than the bound
	ef    int
	ranks bool // no walk continues from the candidates of the batch

	alike  []candidate // may be copies of elements expanded: the next batch reads their links
	chains []chain     // of copies, to be followed once the walks have ended
	copies int         // copies read so far
}

// chain is copies of one row of which the walk hasn't read the next.
type chain struct {
	next     candidate
	distance float32
}

func newBlockWalk(x *Index) *blockWalk {
	m0 := 2 * x.m.M
	return &blockWalk{m0: m0, links: make([]uint32, batchRows*m0)}
}

// begin prepares for the walks of another query.
func (w *blockWalk) begin(ef int) {
	w.ef, w.alike, w.chains, w.copies = ef, w.alike[:0], w.chains[:0], 0
}

// frontier fills the lane's batch with the candidates to expand next: the nearest open ones of all probes, as long as
// they are among the ef nearest met in all of them. Copies of rows follow once the walks have ended. It reports false
// at the end.
func (w *blockWalk) frontier(l *lane) bool {
	now := min(len(w.alike), batchRows-beamNodes)
	l.batch = append(l.batch[:0], w.alike[len(w.alike)-now:]...)
	w.alike = w.alike[:len(w.alike)-now]
	bound := w.bound(l)
	for i, p := range l.probes {
		if !l.led(i) {
			continue
		}
		w.nodes = p.Take(w.nodes[:0], max(1, beamNodes/len(l.probes)), bound)
		for _, id := range w.nodes {
			l.batch = append(l.batch, candidateOf(p, id, i, false))
		}
		if len(l.batch)+beamNodes > batchRows {
			break
		}
	}
	w.ranks = false
	if len(l.batch) == 0 {
		w.follow(l)
	}
	return len(l.batch) > 0
}

func candidateOf(p hnsw.Probe, id uint32, probe int, alike bool) candidate {
	return candidate{hnsw.Candidate{ID: id, Label: p.Label(id)}, uint32(probe), alike}
}

// follow fills the batch with the next copies of rows that are among the k nearest. Of copies as far away as the k-th
// it reads as many as the walk keeps candidates.
func (w *blockWalk) follow(l *lane) {
	for len(w.chains) > 0 && len(l.batch) < batchRows {
		c := w.chains[len(w.chains)-1]
		w.chains = w.chains[:len(w.chains)-1]
		if len(l.found) == l.k {
			kth := l.found[l.k-1].Distance
			if c.distance > kth || c.distance == kth && w.copies >= max(w.ef, l.k) {
				continue
			}
		}
		l.batch = append(l.batch, c.next)
	}
	w.copies += len(l.batch)
}

// bound returns the distance of the ef-th nearest candidate of all walks.
func (w *blockWalk) bound(l *lane) float32 {
	probes := l.probes
	if len(probes) == 1 || slices.ContainsFunc(probes, func(p hnsw.Probe) bool { return !p.Bounded() }) {
		return float32(math.Inf(1))
	}
	w.near = append(w.near[:0], make([]int, len(probes))...)
	bound := float32(math.Inf(1))
	for range w.ef {
		best := 0
		bound = float32(math.Inf(1))
		for i, p := range probes {
			if d := p.EstimateAt(w.near[i]); d < bound {
				best, bound = i, d
			}
		}
		w.near[best]++
	}
	return bound
}

// blocksOf returns the location of a candidate's record.
func (l *lane) blocksOf(c *candidate) *blockFile { return l.x.part(l.parts[c.probe]).blocks }

// held implements layout: the first blocks are in memory.
func (w *blockWalk) held(l *lane, f *fetched, i int) bool {
	b := l.blocksOf(&l.batch[i])
	end := (b.BlockOf(l.batch[i].ID) + 1) * b.Block
	if end > len(b.cached) {
		return false
	}
	w.takeOne(l, f, b, b.cached[end-b.Block:end], i)
	return true
}

func (w *blockWalk) joins(l *lane, first, now *candidate) bool {
	b := l.blocksOf(first)
	return b.BlockOf(first.ID) == b.BlockOf(now.ID)
}

func (w *blockWalk) piece(l *lane, s span) (*diskread.File, int64, int) {
	first := &l.batch[s.from]
	b := l.blocksOf(first)
	return b.File, b.Offset(b.BlockOf(first.ID)), b.Block
}

func (w *blockWalk) take(l *lane, f *fetched, s span, piece []byte) error {
	first := &l.batch[s.from]
	b := l.blocksOf(first)
	if err := b.Check(b.path, b.BlockOf(first.ID), piece); err != nil {
		return err
	}
	for i := s.from; i < s.to; i++ {
		w.takeOne(l, f, b, piece, i)
	}
	return nil
}

// takeOne copies the row and the links of candidate i of the batch.
func (w *blockWalk) takeOne(l *lane, f *fetched, b *blockFile, block []byte, i int) {
	id := l.batch[i].ID
	copy(f.row(i), b.Row(block, id))
	b.Links(block, id, w.links[i*w.m0:(i+1)*w.m0])
}

// offer implements layout. It passes the candidate's links to the walk.
func (w *blockWalk) offer(l *lane, i int, distance float32) {
	c := &l.batch[i]
	p := l.probes[c.probe]
	if p.Returns(c.ID) && !(l.copies && l.known(c.Label, nil)) {
		l.offer(c.Label, distance)
	}
	if !w.ranks {
		w.expand(c, p, w.links[i*w.m0:(i+1)*w.m0], distance)
	}
}

// expand passes the links of a candidate to the walk, or keeps the candidate's chain for later.
func (w *blockWalk) expand(c *candidate, p hnsw.Probe, links []uint32, distance float32) {
	if c.alike {
		next, ok := p.Chain(c.ID, links, w.nodes[:0])
		w.nodes = next
		for _, id := range next {
			w.chains = append(w.chains, chain{candidateOf(p, id, int(c.probe), true), distance})
		}
		if ok {
			return
		}
	}
	w.nodes = p.Expand(c.ID, links, w.nodes[:0])
	for _, id := range w.nodes {
		w.alike = append(w.alike, candidateOf(p, id, int(c.probe), true))
	}
}
