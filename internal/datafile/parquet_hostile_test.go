package datafile

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// handmade is a Parquet file that no writer makes.
type handmade struct {
	t    *testing.T
	b    bytes.Buffer
	meta format.FileMetaData
}

func newHandmade(t *testing.T, columns ...format.SchemaElement) *handmade {
	h := &handmade{t: t}
	h.b.WriteString(parquetMagic)
	root := format.SchemaElement{Name: "schema", NumChildren: thrift.New(int32(len(columns)))}
	h.meta.Schema = append([]format.SchemaElement{root}, columns...)
	return h
}

func (h *handmade) encode(v any) []byte {
	b, err := thrift.Marshal(new(thrift.CompactProtocol), v)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

// page appends a page of one column.
func (h *handmade) page(header format.PageHeader, data []byte) {
	packed := snappy.Encode(nil, data)
	header.CompressedPageSize, header.UncompressedPageSize = int32(len(packed)), int32(len(data))
	h.b.Write(h.encode(header))
	h.b.Write(packed)
}

// dictionary appends a page of one value, and constant data pages of n values each that are that value.
func (h *handmade) dictionary(value []byte, pages, n int) {
	d := format.DictionaryPageHeader{NumValues: 1, Encoding: format.Plain}
	h.page(format.PageHeader{Type: format.DictionaryPage, DictionaryPageHeader: thrift.New(d)}, value)
	run := append([]byte{1}, binary.AppendUvarint(nil, uint64(n)<<1)...)
	for range pages {
		v := format.DataPageHeader{NumValues: int32(n), Encoding: format.RLEDictionary}
		h.page(format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.New(v)}, append(run, 0))
	}
}

// group appends a row group whose columns all lie in the pages from an offset on.
func (h *handmade) group(from, rows int64) {
	g := format.RowGroup{NumRows: rows}
	for range len(h.meta.Schema) - 1 {
		g.Columns = append(g.Columns, format.ColumnChunk{MetaData: format.ColumnMetaData{
			Codec: format.Snappy, NumValues: rows, DataPageOffset: from, TotalCompressedSize: int64(h.b.Len()) - from,
		}})
	}
	h.meta.RowGroups = append(h.meta.RowGroups, g)
	h.meta.NumRows += rows
}

func (h *handmade) write() (path string) {
	meta := h.encode(h.meta)
	b := append(h.b.Bytes(), meta...)
	b = append(binary.LittleEndian.AppendUint32(b, uint32(len(meta))), parquetMagic...)
	path = filepath.Join(h.t.TempDir(), "a.parquet")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func handmadeColumn(name string, t format.Type, length int32) format.SchemaElement {
	e := format.SchemaElement{Name: name, Type: thrift.New(t), RepetitionType: thrift.New(format.Required)}
	if length > 0 {
		e.TypeLength = thrift.New(length)
	}
	return e
}

// TestEndlessTables reads small files that declare more than they can hold: each is refused after a bounded amount of
// work. Without the bounds they take hours or all memory.
func TestEndlessTables(t *testing.T) {
	const start = int64(len(parquetMagic))
	number := make([]byte, 8)
	rows := func(pages, n int) int64 { return int64(pages) * int64(n) }
	text := binary.LittleEndian.AppendUint32(nil, 1<<20)
	text = append(text, bytes.Repeat([]byte("x"), 1<<20)...)
	for name, make := range map[string]func() *handmade{
		"no columns": func() *handmade {
			h := newHandmade(t)
			h.group(start, 1<<40)
			return h
		},
		"pages of constants": func() *handmade {
			h := newHandmade(t, handmadeColumn("n", format.Int64, 0))
			h.dictionary(number, 200, 1<<22)
			h.group(start, rows(200, 1<<22))
			return h
		},
		"columns of the same pages": func() *handmade {
			h := newHandmade(t, handmadeColumn("a", format.Int64, 0), handmadeColumn("b", format.Int64, 0),
				handmadeColumn("c", format.Int64, 0), handmadeColumn("d", format.Int64, 0))
			h.dictionary(number, 1, 1<<22)
			h.group(start, 1<<22)
			return h
		},
		"row groups of the same pages": func() *handmade {
			h := newHandmade(t, handmadeColumn("n", format.Int64, 0))
			h.dictionary(number, 1, 1<<20)
			for range 200 {
				h.group(start, 1<<20)
			}
			return h
		},
		"long values": func() *handmade {
			h := newHandmade(t, handmadeColumn("f", format.FixedLenByteArray, 1<<20))
			h.dictionary(text[4:], 1, 1<<22)
			h.group(start, 1<<22)
			return h
		},
		"long texts": func() *handmade {
			h := newHandmade(t, handmadeColumn("t", format.ByteArray, 0))
			h.dictionary(text, 1, 1<<20)
			h.group(start, 1<<20)
			return h
		},
	} {
		if err := hostile(t, make().write(), readers["table"]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
