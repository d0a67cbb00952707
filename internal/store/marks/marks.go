// Package marks reads and writes the file that says which rows of the shards of an index are dead: deleted, or replaced
// by rows outside the shards. The shards' own files stay as they are.
//
// A header of 64 bytes is followed, for each shard, by the number of its rows, the length of a Roaring bitmap and the
// bitmap, in its portable format. The header has the checksum of all that, and the manifest that of the header.
package marks

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/store"
)

const (
	magic     = "SHALEDED"
	version   = 1
	byteOrder = 0x01020304

	headerSize = 64
	lengthsOf  = 8 // bytes of a shard's two lengths

	// mostBytes a bitmap takes for each 65,536 rows, and beside them: twice what the format needs.
	mostBytes = 2 * (8 << 10)
)

// Shard says which rows of a shard are dead.
type Shard struct {
	Rows int // of the shard
	Dead []uint32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Write writes the file at path, all or nothing.
func Write(path string, shards []Shard) error {
	head, body := make([]byte, headerSize), &bytes.Buffer{}
	for _, s := range shards {
		set := roaring.BitmapOf(s.Dead...)
		set.RunOptimize()
		var lengths [lengthsOf]byte
		binary.LittleEndian.PutUint32(lengths[0:], uint32(s.Rows))
		binary.LittleEndian.PutUint32(lengths[4:], uint32(set.GetSerializedSizeInBytes()))
		body.Write(lengths[:])
		if _, err := set.WriteTo(body); err != nil {
			return fmt.Errorf("write marks: %w", err)
		}
	}
	copy(head, magic)
	binary.LittleEndian.PutUint32(head[8:], version)
	binary.LittleEndian.PutUint32(head[12:], byteOrder)
	binary.LittleEndian.PutUint32(head[16:], uint32(len(shards)))
	binary.LittleEndian.PutUint32(head[20:], crc32.Checksum(body.Bytes(), castagnoli))
	binary.LittleEndian.PutUint64(head[24:], uint64(body.Len()))
	return atomicfile.Write(path, func(w io.Writer) error {
		if _, err := w.Write(head); err != nil {
			return err
		}
		_, err := w.Write(body.Bytes())
		return err
	})
}

// Read reads the file at path of an index whose shards have the given numbers of rows. Damage comes as a
// *store.FormatError.
func Read(path string, rows []int) ([]Shard, error) {
	f, size, err := format.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	defer f.Close()
	most := int64(headerSize)
	for _, n := range rows {
		most += lengthsOf + int64(n>>16+2)*mostBytes
	}
	if size < headerSize || size > most {
		return nil, bad(path, 0, "file", "%d bytes are not at least %d and at most %d", size, headerSize, most)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	if err := checkHead(path, b, len(rows)); err != nil {
		return nil, err
	}
	return readShards(path, b, rows)
}

// checkHead checks the header of the whole file b.
func checkHead(path string, b []byte, shards int) error {
	head, u32 := b[:headerSize], binary.LittleEndian.Uint32
	switch {
	case string(head[:8]) != magic:
		return bad(path, 0, "magic", "%q is not %q", head[:8], magic)
	case u32(head[8:]) != version:
		return bad(path, 8, "version", "%d, this program reads %d", u32(head[8:]), version)
	case u32(head[12:]) != byteOrder:
		return bad(path, 12, "byte order", "%08x is not %08x", u32(head[12:]), byteOrder)
	case int64(u32(head[16:])) != int64(shards):
		return bad(path, 16, "shards", "%d, the manifest says %d", u32(head[16:]), shards)
	case binary.LittleEndian.Uint64(head[24:]) != uint64(len(b)-headerSize):
		return bad(path, 24, "length", "%d bytes follow the header, not %d", len(b)-headerSize,
			binary.LittleEndian.Uint64(head[24:]))
	case slices.ContainsFunc(head[32:], func(b byte) bool { return b != 0 }):
		return bad(path, 32, "header", "it doesn't end in zeros")
	case u32(head[20:]) != crc32.Checksum(b[headerSize:], castagnoli):
		return bad(path, 20, "checksum", "it is not that of the marks: the file is damaged")
	}
	return nil
}

// readShards reads what follows the header of the whole file b.
func readShards(path string, b []byte, rows []int) ([]Shard, error) {
	at, shards := headerSize, make([]Shard, len(rows))
	for i, n := range rows {
		if len(b)-at < lengthsOf {
			return nil, bad(path, at, "lengths", "the file ends before shard %d", i)
		}
		has, length := binary.LittleEndian.Uint32(b[at:]), binary.LittleEndian.Uint32(b[at+4:])
		if at += lengthsOf; int64(has) != int64(n) {
			return nil, bad(path, at-8, "rows", "%d of shard %d, which has %d", has, i, n)
		}
		if int64(length) > int64(len(b)-at) {
			return nil, bad(path, at-4, "length", "the file ends before the %d bytes of shard %d do", length, i)
		}
		dead, err := members(b[at:at+int(length)], n)
		if err != nil {
			return nil, bad(path, at, "bitmap", "that of shard %d isn't usable: %v", i, err)
		}
		shards[i] = Shard{Rows: n, Dead: dead}
		at += int(length)
	}
	if at != len(b) {
		return nil, bad(path, at, "file", "%d bytes follow the last shard", len(b)-at)
	}
	return shards, nil
}

// members returns the members of a bitmap, which are below n.
func members(b []byte, n int) ([]uint32, error) {
	set := roaring.New()
	read, err := set.ReadFrom(bytes.NewReader(b))
	if err == nil {
		err = set.Validate()
	}
	switch {
	case err != nil:
		return nil, err
	case read != int64(len(b)):
		return nil, fmt.Errorf("it ends after %d of %d bytes", read, len(b))
	case !set.IsEmpty() && int64(set.Maximum()) >= int64(n):
		return nil, fmt.Errorf("row %d of %d is marked", set.Maximum(), n)
	}
	return set.ToArray(), nil
}

func bad(path string, at int, field, reason string, args ...any) error {
	return &store.FormatError{File: path, Offset: int64(at), Field: field, Reason: fmt.Sprintf(reason, args...)}
}
