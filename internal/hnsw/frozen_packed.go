package hnsw

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unsafe"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/simd"
)

// packed is the lists of level 0 with as many bits a link as the number of elements needs, in the place of 32. Lists
// start on bytes; links are ids + 1, and a zero ends a list that is not full.
type packed struct {
	bits    uint // a link; 0: nothing is packed
	mask    uint32
	longest int    // list
	stride  int    // bytes from one list to the next
	data    []byte // with room for reading 8 bytes from the last link's first byte on
}

func newPacked(elements, longest int) packed {
	p := packed{bits: uint(bits.Len(uint(elements))), longest: longest}
	p.mask = uint32(1<<p.bits - 1)
	p.stride = (longest*int(p.bits) + 7) / 8
	return p
}

// pack replaces the links of level 0 by packed ones.
func (f *Frozen) pack() error {
	g, n := f.graph.Load(), f.Len()
	if n == 0 {
		return nil
	}
	p, err := g.packLinks(g.links0, n)
	if err != nil {
		return err
	}
	g.packed = p
	err = g.drop(unsafe.Pointer(unsafe.SliceData(g.links0)))
	g.links0 = nil
	return err
}

// packLinks packs the lists of level 0 of n elements into memory of g, without links that lead to no element.
func (g *graph) packLinks(links0 []uint32, n int) (packed, error) {
	p := newPacked(n, g.m0)
	r, err := mmap.Anonymous(p.bytes(n))
	if err != nil {
		return p, fmt.Errorf("hnsw: room for packed links: %w", err)
	}
	g.regions = append(g.regions, r)
	p.data = r.Bytes()
	for id := range n {
		off := uint(0)
		for _, link := range links0[id*g.m0 : (id+1)*g.m0] {
			if link == 0 {
				break
			}
			if int64(link) > int64(n) {
				continue
			}
			b := p.data[id*p.stride+int(off>>3):]
			binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)|uint64(link)<<(off&7))
			off += p.bits
		}
	}
	return p, nil
}

// bytes returns the length of data for n lists.
func (p *packed) bytes(n int) int { return n*p.stride + 8 }

// drop frees the region that begins at a place.
func (g *graph) drop(at unsafe.Pointer) error {
	for i, r := range g.regions {
		if b := r.Bytes(); len(b) > 0 && unsafe.Pointer(&b[0]) == at {
			g.regions = append(g.regions[:i], g.regions[i+1:]...)
			return r.Close()
		}
	}
	return nil
}

// appendTo appends the links of a list, ids + 1, to dst.
func (p *packed) appendTo(dst []uint32, node uint32) []uint32 {
	off := uint(0)
	for range p.longest {
		link := uint32(binary.LittleEndian.Uint64(p.data[int(node)*p.stride+int(off>>3):])>>(off&7)) & p.mask
		if link == 0 {
			break
		}
		dst = append(dst, link)
		off += p.bits
	}
	return dst
}

// prefetch asks for the lists of nodes.
func (p *packed) prefetch(nodes []uint32) {
	for _, node := range nodes {
		simd.Prefetch(unsafe.Pointer(&p.data[int(node)*p.stride]), p.stride)
	}
}

// plainLinks are the lists of level 0 of the first n elements, unpacked where they are packed.
func (g *graph) plainLinks(n int) []uint32 {
	if g.packed.bits == 0 {
		return g.links0[:n*g.m0]
	}
	all := make([]uint32, n*g.m0)
	for id := range n {
		g.packed.appendTo(all[id*g.m0:id*g.m0], uint32(id))
	}
	return all
}

// links appends the neighbours of element id on level 0 to dst.
func (g *graph) links(id uint32, dst []uint32) []uint32 {
	if g.packed.bits == 0 {
		return neighbours(g.list(id, 0), dst)
	}
	from := len(dst)
	dst = g.packed.appendTo(dst, id)
	for i := range dst[from:] {
		dst[from+i]--
	}
	return dst
}

// degree returns the number of links that element id has on level 0.
func (g *graph) degree(id uint32) int {
	if g.packed.bits == 0 {
		return length(g.list(id, 0))
	}
	var room [64]uint32
	return len(g.packed.appendTo(room[:0], id))
}

// linkBytes returns what the links of level 0 of n elements take.
func (g *graph) linkBytes(n int) int64 {
	if g.packed.bits == 0 {
		return int64(n) * int64(g.m0) * 4
	}
	return int64(n) * int64(g.packed.stride)
}

// sound takes the ids that are those of elements.
func (g *graph) sound(ids []uint32) []uint32 {
	kept := ids[:0]
	for _, id := range ids {
		if int64(id) < int64(g.capacity) {
			kept = append(kept, id)
		}
	}
	return kept
}
