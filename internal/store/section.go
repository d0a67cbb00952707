package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Kind is the kind of a section.
type Kind uint32

// The kinds of sections. Their order is that in the file.
const (
	Meta      Kind = 1 + iota // what the index is: configuration, counts, entry point
	Levels                    // uint8 an element: its highest level
	Links0                    // level 0: 2M links an element, each a uint32 id + 1; a zero ends the list
	UpperAt                   // uint32 an element: its first list in Upper
	Upper                     // the other levels: lists of M links
	Labels                    // uint64 an element
	Vectors                   // a row an element
	Deleted                   // bitmap of the elements marked deleted, in uint32 words
	Quantizer                 // float32s: what codes are made by; empty if there are no codes
	Codes                     // a code an element; empty if there are none
	Sums                      // CRC-32C of every 4 KiB of Vectors, for those who read parts of it

	kinds = iota
)

func (k Kind) String() string {
	names := [...]string{"meta", "levels", "links0", "upperAt", "upper", "labels", "vectors", "deleted",
		"quantizer", "codes", "sums"}
	if k >= 1 && int(k) <= len(names) {
		return names[k-1]
	}
	return fmt.Sprintf("section kind %d", uint32(k))
}

const (
	sectionSize = 32   // bytes of a section's entry in the header
	sectionMark = 4096 // sections start at multiples of it, so that each can be mapped on its own
)

// Section is a section's entry in the header.
type Section struct {
	Kind   Kind
	CRC    uint32 // CRC-32C of its bytes
	Offset int64
	Length int64
}

// End returns the offset after the section's last byte.
func (s *Section) End() int64 { return s.Offset + s.Length }

// put writes the entry to b.
func (s *Section) put(b []byte) {
	binary.LittleEndian.PutUint32(b, uint32(s.Kind))
	binary.LittleEndian.PutUint32(b[4:], s.CRC)
	binary.LittleEndian.PutUint64(b[8:], uint64(s.Offset))
	binary.LittleEndian.PutUint64(b[16:], uint64(s.Length))
	binary.LittleEndian.PutUint32(b[24:], sectionMark)
}

// sectionFrom reads an entry, and the alignment in it.
func sectionFrom(b []byte) (s Section, align uint32) {
	return Section{
		Kind:   Kind(binary.LittleEndian.Uint32(b)),
		CRC:    binary.LittleEndian.Uint32(b[4:]),
		Offset: int64(binary.LittleEndian.Uint64(b[8:])),
		Length: int64(binary.LittleEndian.Uint64(b[16:])),
	}, binary.LittleEndian.Uint32(b[24:])
}

// alignUp returns the first offset from at on where a section may start.
func alignUp(off int64) int64 { return (off + sectionMark - 1) &^ (sectionMark - 1) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
