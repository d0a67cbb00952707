package store

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"

	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
)

const (
	magic = "SHALEIDX"

	// Version is the version of the format. Readers accept this version only.
	Version = 3

	byteOrder  = 0x01020304
	headerSize = 4096
	crcAt      = headerSize - 4

	versionAt   = 8
	byteOrderAt = 12
	lengthAt    = 16
	sectionsAt  = 24
	tableAt     = 32
	nameAt      = tableAt + kinds*sectionSize // of a custom metric, zeros after it
)

// header is the first 4 KiB of a file.
type header struct {
	length   int64 // of the file
	sections []Section
	custom   string // name of the custom metric
}

// encode returns the header's bytes.
func (h *header) encode() []byte {
	b := make([]byte, headerSize)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[versionAt:], Version)
	binary.LittleEndian.PutUint32(b[byteOrderAt:], byteOrder)
	binary.LittleEndian.PutUint64(b[lengthAt:], uint64(h.length))
	binary.LittleEndian.PutUint32(b[sectionsAt:], uint32(len(h.sections)))
	for i := range h.sections {
		h.sections[i].put(b[tableAt+i*sectionSize:])
	}
	copy(b[nameAt:], h.custom)
	binary.LittleEndian.PutUint32(b[crcAt:], checksum(b[:crcAt]))
	return b
}

// readHeader reads and checks the header. Afterwards every section is of a kind of this version and lies in the file.
func readHeader(r *format.Reader) (*header, error) {
	b, err := r.Next(headerSize, "header")
	if err != nil {
		return nil, err
	}
	if err := checkIdentity(r, b); err != nil {
		return nil, err
	}
	h := &header{length: int64(binary.LittleEndian.Uint64(b[lengthAt:]))}
	if h.length != r.Size() {
		return nil, r.Bad(lengthAt, "file length", "%d, but the file has %d bytes: truncated, or something follows",
			h.length, r.Size())
	}
	if n := binary.LittleEndian.Uint32(b[sectionsAt:]); n != kinds {
		return nil, r.Bad(sectionsAt, "number of sections", "%d, not %d", n, kinds)
	}
	end := int64(headerSize)
	for i := range kinds {
		at := tableAt + i*sectionSize
		s, align := sectionFrom(b[at:])
		switch {
		case s.Kind != Kind(i+1):
			return nil, r.Bad(int64(at), "section table", "%s in the place of %s", s.Kind, Kind(i+1))
		case align != sectionMark || s.Offset != alignUp(end):
			return nil, r.Bad(int64(at), "section table", "%s at byte %d, aligned to %d; not at byte %d", s.Kind,
				s.Offset, align, alignUp(end))
		case s.Length < 0 || s.Length > math.MaxInt64-sectionMark-s.Offset:
			return nil, r.Bad(int64(at), "section table", "%s has %d bytes", s.Kind, s.Length)
		}
		end = s.End()
		h.sections = append(h.sections, s)
	}
	if end != h.length {
		return nil, r.Bad(lengthAt, "file length", "%d, but the sections end at byte %d", h.length, end)
	}
	h.custom, err = customName(b[nameAt:])
	if err != nil {
		return nil, r.Caused(err, nameAt, "name of the metric", "not possible")
	}
	return h, nil
}

// customName returns the name of a custom metric at the start of b, which zeros follow.
func customName(b []byte) (string, error) {
	name := strings.TrimRight(string(b[:hnsw.MaxCustomName]), "\x00")
	return name, hnsw.CheckCustomName(name)
}

// checkIdentity returns an error unless b is an intact header of this version.
func checkIdentity(r *format.Reader, b []byte) error {
	if string(b[:len(magic)]) != magic {
		return r.Bad(0, "magic", "not a Shale index file")
	}
	if binary.BigEndian.Uint32(b[byteOrderAt:]) == byteOrder {
		return r.Caused(errors.ErrUnsupported, byteOrderAt, "byte order", "the file is big-endian")
	}
	if v := binary.LittleEndian.Uint32(b[versionAt:]); v != Version {
		return r.Caused(errors.ErrUnsupported, versionAt, "version",
			"the file has version %d, this program reads version %d", v, Version)
	}
	if want, got := binary.LittleEndian.Uint32(b[crcAt:]), checksum(b[:crcAt]); want != got {
		return r.Bad(crcAt, "header", "its checksum is %08x, it should be %08x: the header is damaged", got, want)
	}
	if v := binary.LittleEndian.Uint32(b[byteOrderAt:]); v != byteOrder {
		return r.Bad(byteOrderAt, "byte order", "%#x is no mark", v)
	}
	return nil
}

// section returns the entry of kind k.
func (h *header) section(k Kind) *Section { return &h.sections[k-1] }
