// Package blocks reads and writes files that hold each element's row and links side by side, so that one read of a disk
// brings both (the layout of DiskANN, Subramanya et al., NeurIPS 2019). Such a file lies beside the index file of its
// shard and repeats its rows and links of level 0, for searches in memory that holds the codes but not the links.
//
// A header of 4 KiB is followed by blocks of one size, a multiple of 4 KiB. A block holds as many records as fit,
// zeros, and the CRC-32C of all that in its last 4 bytes. Record i, of element i, is the row as it lies in memory,
// zeros up to a multiple of 4 bytes, and 2·M links as in the index file: ids + 1, a zero ending the list.
package blocks

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/vector"
)

const (
	magic     = "SHALEBLK"
	version   = 1
	byteOrder = 0x01020304

	headerSize = 4096
	page       = 4096
	sumSize    = 4
	// mostWaste is the share of a block that may be unused. Beyond it larger blocks are tried, up to mostPages.
	mostWaste = 0.2
	mostPages = 4
)

// Layout holds the places in a file of blocks.
type Layout struct {
	Count  int // elements
	Dim    int
	Type   vector.Type // of rows
	M      int         // half of the longest list
	Record int         // bytes
	Each   int         // records a block
	Block  int         // bytes
}

// LayoutOf returns the layout for rows of a type.
func LayoutOf(count, dim int, t vector.Type, m int) Layout {
	l := Layout{Count: count, Dim: dim, Type: t, M: m}
	l.Record = l.linksAt() + 8*m
	fit := func(pages int) (records int, waste float64) {
		records = (pages*page - sumSize) / l.Record
		return records, 1 - float64(records*l.Record)/float64(pages*page)
	}
	least := (l.Record + sumSize + page - 1) / page
	best, lowest := least, 2.0
	for pages := least; pages <= max(least, mostPages) && lowest > mostWaste; pages++ {
		if _, waste := fit(pages); waste < lowest {
			best, lowest = pages, waste
		}
	}
	l.Block = best * page
	l.Each, _ = fit(best)
	return l
}

// linksAt returns the offset of the links in a record.
func (l *Layout) linksAt() int { return (rowtype.Size(l.Type, l.Dim) + 3) &^ 3 }

// Blocks returns the number of blocks.
func (l *Layout) Blocks() int { return (l.Count + l.Each - 1) / l.Each }

// Bytes returns the length of the file.
func (l *Layout) Bytes() int64 { return headerSize + int64(l.Blocks())*int64(l.Block) }

// BlockOf returns the number of the block with an element's record.
func (l *Layout) BlockOf(id uint32) int { return int(id) / l.Each }

// Offset returns the offset of a block in the file.
func (l *Layout) Offset(block int) int64 { return headerSize + int64(block)*int64(l.Block) }

// Row returns the row of element id from its block.
func (l *Layout) Row(block []byte, id uint32) []byte {
	at := int(id) % l.Each * l.Record
	return block[at : at+rowtype.Size(l.Type, l.Dim)]
}

// Links copies the links of element id, as ids + 1, from its block to dst, which has room for 2·M.
func (l *Layout) Links(block []byte, id uint32, dst []uint32) {
	list := block[int(id)%l.Each*l.Record+l.linksAt():]
	for i := range dst[:2*l.M] {
		dst[i] = binary.LittleEndian.Uint32(list[4*i:])
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// seal writes a block's checksum to its end.
func seal(block []byte) {
	end := len(block) - sumSize
	binary.LittleEndian.PutUint32(block[end:], checksum(block[:end]))
}

// Check compares a block of the file path with the checksum at its end.
func (l *Layout) Check(path string, number int, block []byte) error {
	end := len(block) - sumSize
	sum, want := checksum(block[:end]), binary.LittleEndian.Uint32(block[end:])
	if sum == want {
		return nil
	}
	return &store.FormatError{
		File: path, Offset: l.Offset(number), Field: "block",
		Reason: fmt.Sprintf("the checksum of block %d is %08x, it should be %08x: it is damaged", number, sum, want),
	}
}
