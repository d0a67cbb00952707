package blocks

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/vector"
)

// head is the header, field by field as in the file. Zeros follow, and its CRC-32C in the last 4 bytes.
type head struct {
	Magic     [8]byte
	Version   uint32
	ByteOrder uint32
	Length    uint64 // of the file
	Count     uint64
	Dim       uint32
	Type      uint32
	M         uint32
	Record    uint32
	Each      uint32
	Block     uint32
	Index     uint32 // CRC-32C of the header of the index file that this repeats, as manifests have it
}

func (l *Layout) head(index uint32) head {
	h := head{
		Version: version, ByteOrder: byteOrder, Length: uint64(l.Bytes()), Count: uint64(l.Count), Dim: uint32(l.Dim),
		Type: uint32(l.Type), M: uint32(l.M), Record: uint32(l.Record), Each: uint32(l.Each),
		Block: uint32(l.Block), Index: index,
	}
	copy(h.Magic[:], magic)
	return h
}

func (h *head) encode() ([]byte, error) {
	b, err := binary.Append(make([]byte, 0, headerSize), binary.LittleEndian, h)
	if err != nil {
		return nil, err
	}
	b = b[:headerSize]
	seal(b)
	return b, nil
}

// Write writes the blocks of an index whose rows are all present to path, atomically. index is the checksum of the
// header of the index file.
func Write(ctx context.Context, path string, m *hnsw.Image, index uint32) error {
	c := &m.Config
	l := LayoutOf(m.Count, c.Dim, c.Storage, c.M)
	h := l.head(index)
	first, err := h.encode()
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		if _, err := w.Write(first); err != nil {
			return err
		}
		block := make([]byte, l.Block)
		for at := 0; at < m.Count; at += l.Each {
			if err := ctx.Err(); err != nil {
				return err
			}
			clear(block)
			for id := at; id < min(at+l.Each, m.Count); id++ {
				record := block[(id-at)*l.Record:]
				copy(record, m.Rows.RowBytes(id))
				for i, link := range m.Links0[id*2*c.M : (id+1)*2*c.M] {
					binary.LittleEndian.PutUint32(record[l.linksAt()+4*i:], link)
				}
			}
			seal(block)
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
		return nil
	})
}

// Inspect reads and checks the header of the file at path. It returns the checksum of the index file's header that is
// in it.
func Inspect(path string) (l Layout, index uint32, err error) {
	f, err := vfs.Open(path)
	if err != nil {
		return l, 0, err
	}
	defer f.Close()
	return inspect(f, path)
}

func inspect(f *os.File, path string) (l Layout, index uint32, err error) {
	bad := func(field, reason string, args ...any) error {
		return &store.FormatError{File: path, Offset: 0, Field: field, Reason: fmt.Sprintf(reason, args...)}
	}
	b := make([]byte, headerSize)
	if _, err := io.ReadFull(f, b); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return l, 0, bad("header", "the file ends inside it")
	} else if err != nil {
		return l, 0, err
	}
	var h head
	if _, err := binary.Decode(b, binary.LittleEndian, &h); err != nil {
		return l, 0, err
	}
	switch {
	case string(h.Magic[:]) != magic:
		return l, 0, bad("magic", "it is %q, not %q", h.Magic[:], magic)
	case h.Version != version:
		return l, 0, &store.FormatError{File: path, Field: "version",
			Reason: fmt.Sprintf("%d, this program reads %d", h.Version, version), Err: errors.ErrUnsupported}
	case h.ByteOrder != byteOrder:
		return l, 0, bad("byte order", "it is %#x, not %#x", h.ByteOrder, byteOrder)
	case checksum(b[:headerSize-sumSize]) != binary.LittleEndian.Uint32(b[headerSize-sumSize:]):
		return l, 0, bad("header", "its checksum is wrong: it is damaged")
	}
	t := vector.Type(h.Type)
	rows := t == vector.Float32 || t == vector.Float16 || t == rowtype.ScaledInt8
	if !rows || h.Dim < 1 || h.Dim > 1<<20 || h.M < 2 || h.M > 10000 || h.Count > 1<<31-1 {
		return l, 0, bad("header", "%d elements of %d × %v with M %d are not possible", h.Count, h.Dim, t, h.M)
	}
	l = LayoutOf(int(h.Count), int(h.Dim), t, int(h.M))
	if want := l.head(h.Index); h != want {
		return l, 0, bad("layout",
			"records of %d bytes, %d in blocks of %d, %d bytes in all; they should be %d, %d, %d and %d",
			h.Record, h.Each, h.Block, h.Length, want.Record, want.Each, want.Block, want.Length)
	}
	info, err := f.Stat()
	if err != nil {
		return l, 0, err
	}
	if info.Size() != l.Bytes() {
		return l, 0, bad("length", "%d bytes, the header says %d", info.Size(), l.Bytes())
	}
	return l, h.Index, nil
}

// Verify checks all of the file at path: every block, that links lead to elements, and that it belongs to the index
// file whose header has the checksum index.
func Verify(ctx context.Context, path string, index uint32) error {
	f, err := vfs.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	l, of, err := inspect(f, path)
	if err != nil {
		return err
	}
	if of != index {
		return &store.FormatError{File: path, Field: "header",
			Reason: fmt.Sprintf("it repeats an index file with header checksum %08x, not %08x", of, index)}
	}
	r := bufio.NewReaderSize(f, 1<<20)
	block, links := make([]byte, l.Block), make([]uint32, 2*l.M)
	for number := range l.Blocks() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.ReadFull(r, block); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if err := l.Check(path, number, block); err != nil {
			return err
		}
		for id := number * l.Each; id < min((number+1)*l.Each, l.Count); id++ {
			l.Links(block, uint32(id), links)
			if err := l.checkLinks(path, number, id, links); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Layout) checkLinks(path string, number, id int, links []uint32) error {
	ended := false
	for _, link := range links {
		if int64(link) > int64(l.Count) || int(link) == id+1 || ended && link != 0 {
			return &store.FormatError{File: path, Offset: l.Offset(number), Field: "links",
				Reason: fmt.Sprintf("element %d has the link %d", id, link)}
		}
		ended = ended || link == 0
	}
	return nil
}
