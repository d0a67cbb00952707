package datafile

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/format"
)

// parquetMagic begins and ends every Parquet file. Of github.com/parquet-go/parquet-go, readers here use the metadata's
// types and Thrift; pages are decoded by own code, because the library takes the sizes that pages and runs declare on
// trust, and hands out values one by one.
const parquetMagic = "PAR1"

// parquetTail is the size of what ends a file: the footer's length and the magic.
const parquetTail = 8

// chunk is a column's part in a row group.
type chunk struct {
	off, end int64 // in the file
	rows     int64
	codec    format.CompressionCodec
}

// openParquet opens a column of lists of floats; each list must have the same length.
func openParquet(in *input, column string) (*stream, error) {
	src, rows, err := openParquetColumn(in, column, chooseVectors)
	if err != nil {
		return nil, err
	}
	if rows > 0 {
		if err := src.findDim(); err != nil {
			return nil, err
		}
	}
	return newStream(src.origin, src, src.leaf.dt, rows, int64(src.dim))
}

// openParquetColumn opens the column that choose takes of all there are, and returns its number of rows.
func openParquetColumn(in *input, column string, choose func(origin, []leaf, string) (leaf, error),
) (*parquetSource, int64, error) {
	if err := in.whole("parquet"); err != nil {
		return nil, 0, err
	}
	meta, err := parquetMeta(in)
	if err != nil {
		return nil, 0, err
	}
	all, err := leaves(meta.Schema)
	if err != nil {
		return nil, 0, in.caused(err, -1, "schema", "can't be used")
	}
	l, err := choose(in.origin, all, column)
	if err != nil {
		return nil, 0, err
	}
	o := origin{in.file + ":" + l.column()}
	src := &parquetSource{origin: o, in: in, leaf: l, codec: new(decompressor)}
	rows := int64(0)
	for i, g := range meta.RowGroups {
		if g.NumRows == 0 {
			continue // writers leave its offsets unset
		}
		c, err := o.chunk(g, l.index, in.size)
		if err != nil {
			return nil, 0, err
		}
		if rows += c.rows; rows > math.MaxInt64/(maxDim*8) {
			return nil, 0, o.bad(-1, "row group rows", "%d by group %d are more than a file can hold", rows, i)
		}
		src.chunks = append(src.chunks, c)
	}
	if rows != meta.NumRows {
		return nil, 0, o.bad(-1, "rows", "%d, but the row groups have %d: the file is damaged", meta.NumRows, rows)
	}
	return src, rows, nil
}

// parquetMeta reads the metadata at the file's end.
func parquetMeta(in *input) (meta format.FileMetaData, err error) {
	defer in.guard(&err, "metadata")
	if in.size < int64(len(parquetMagic))+parquetTail {
		return meta, in.bad(0, "magic", "%d bytes are no Parquet file", in.size)
	}
	var tail [parquetTail]byte
	if _, err := in.f.ReadAt(tail[:], in.size-parquetTail); err != nil {
		return meta, in.caused(err, in.size-parquetTail, "magic", "can't be read")
	}
	if string(tail[4:]) != parquetMagic {
		return meta, in.bad(in.size-4, "magic", "%q at the end is not %s: the file is cut off, encrypted, or no Parquet file",
			tail[4:], parquetMagic)
	}
	size := int64(binary.LittleEndian.Uint32(tail[:]))
	off := in.size - parquetTail - size
	if off < int64(len(parquetMagic)) {
		return meta, in.bad(in.size-parquetTail, "metadata length", "%d bytes are more than the file has", size)
	}
	b := make([]byte, size)
	if _, err := in.f.ReadAt(b, off); err != nil {
		return meta, in.caused(err, off, "metadata", "can't be read")
	}
	if _, err := decodeThrift(b, &meta); err != nil {
		return meta, in.caused(err, off, "metadata", "can't be decoded")
	}
	return meta, nil
}

// chunk checks where the column's part of a row group lies.
func (o origin) chunk(g format.RowGroup, column int, size int64) (chunk, error) {
	if column >= len(g.Columns) {
		return chunk{}, o.bad(-1, "row group", "it has %d columns, the schema has more: the file is damaged", len(g.Columns))
	}
	col := g.Columns[column]
	m := col.MetaData
	if col.FilePath != "" {
		return chunk{}, o.caused(ErrUnsupported, -1, "column chunk", "it lies in another file, %.80q", col.FilePath)
	}
	off := m.DataPageOffset
	if d := m.DictionaryPageOffset; d > 0 && d < off {
		off = d
	}
	if off < int64(len(parquetMagic)) || m.TotalCompressedSize < 0 || m.TotalCompressedSize > size-parquetTail-off {
		return chunk{}, o.bad(max(off, -1), "column chunk", "%d bytes from there are not in a file of %d",
			m.TotalCompressedSize, size)
	}
	if g.NumRows < 0 || g.NumRows > m.NumValues {
		return chunk{}, o.bad(-1, "row group rows", "%d rows can't come from %d values: rows must not be empty",
			g.NumRows, m.NumValues)
	}
	return chunk{off: off, end: off + m.TotalCompressedSize, rows: g.NumRows, codec: m.Codec}, nil
}

// parquetSource reads a column's rows page by page.
type parquetSource struct {
	origin
	in     *input
	leaf   leaf
	chunks []chunk // those to come; the first is being read once off is set
	off    int64   // of the next page, 0 before the chunk's first
	codec  *decompressor
	dict   []byte // the chunk's dictionary
	out    []byte // values decoded and not yet given out
	room   []byte // what the page read last lies in
	before int64  // rows of the chunks that have ended
	rows   int64  // begun in the chunk
	column int    // values of the last row
	dim    int    // 0 until the first row is whole

	cells *cells // that take the pages of a column of any type; nil: the column's rows are vectors or integers
}

// findDim decodes until the first row is whole.
func (p *parquetSource) findDim() error {
	for p.dim == 0 {
		if err := p.page(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parquetSource) readRows(dst []byte) error {
	for len(dst) > 0 {
		if len(p.out) == 0 {
			if err := p.page(); err != nil {
				return err
			}
		}
		n := copy(dst, p.out)
		dst, p.out = dst[n:], p.out[n:]
	}
	return nil
}

// finish reads what is left, which must be no values.
func (p *parquetSource) finish() error {
	for {
		if len(p.out) > 0 {
			return p.bad(p.off, "values", "there are more than the metadata's rows: the file is damaged")
		}
		if len(p.chunks) == 0 {
			return nil
		}
		if err := p.page(); err != nil {
			return err
		}
	}
}

func (p *parquetSource) Close() error {
	p.codec.close()
	return p.in.f.Close()
}

// page decodes the next page to out, or ends a chunk whose last page has been read.
func (p *parquetSource) page() (err error) {
	defer p.guard(&err, "page")
	if len(p.chunks) == 0 {
		return p.caused(io.ErrUnexpectedEOF, p.off, "values", "there are fewer than the metadata's rows: the file is damaged")
	}
	c := p.chunks[0]
	if p.off == 0 {
		p.off, p.rows, p.column, p.dict = c.off, 0, 0, nil
	}
	if p.off == c.end {
		return p.endChunk(c)
	}
	return p.decodePage(c)
}

func (p *parquetSource) endChunk(c chunk) error {
	if p.rows > 0 {
		if err := p.endRow(); err != nil {
			return err
		}
	}
	if p.rows != c.rows {
		return p.bad(c.off, "rows", "%d are in a row group whose metadata has %d: the file is damaged", p.rows, c.rows)
	}
	p.chunks, p.off, p.before = p.chunks[1:], 0, p.before+p.rows
	return nil
}

// endRow checks the row that the next one, or the chunk's end, closes.
func (p *parquetSource) endRow() error {
	if p.dim == 0 {
		p.dim = p.column
	}
	if p.column != p.dim {
		return p.bad(p.off, "row",
			"row %d has %d values, the first row has %d: all must have the same", p.before+p.rows-1, p.column, p.dim)
	}
	return nil
}
