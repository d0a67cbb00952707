package datafile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/format"
)

// maxPageHeader bounds a page's header, which may hold statistics.
const maxPageHeader = 64 << 10

// maxRunValues is how many values a page may declare that take no room of their own, in runs of a dictionary's value.
const maxRunValues = 1 << 24

// plainDictionary is how older writers call plain values in a dictionary page, and indices in a data page.
const plainDictionary = format.Encoding(2)

// decodePage decodes the page at p.off.
func (p *parquetSource) decodePage(c chunk) error {
	header, body, err := p.readPage(c)
	if err != nil {
		return err
	}
	at := p.off
	p.off = body.end
	if err := p.spend(at, body.end-at); err != nil {
		return err
	}
	switch header.Type {
	case format.DictionaryPage:
		return p.dictionary(at, header, body.bytes, c)
	case format.DataPage:
		return p.dataPageV1(at, header, body.bytes, c)
	case format.DataPageV2:
		return p.dataPageV2(at, header, body.bytes, c)
	}
	return nil // index pages and what is yet to come hold no values
}

// pageBody is a page without its header, as it lies in the file.
type pageBody struct {
	bytes []byte
	end   int64
}

func (p *parquetSource) readPage(c chunk) (header format.PageHeader, body pageBody, err error) {
	n, err := p.readHeader(&header, c)
	if err != nil {
		return header, body, err
	}
	size, start := int64(header.CompressedPageSize), p.off+int64(n)
	if size < 0 || size > c.end-start {
		return header, body, p.bad(p.off, "page size", "%d bytes are more than are left of its column", size)
	}
	body = pageBody{bytes: p.buffer(int(size)), end: start + size}
	if _, err := p.in.f.ReadAt(body.bytes, start); err != nil {
		return header, body, p.caused(err, start, "page", "can't be read")
	}
	if header.CRC != 0 && uint32(header.CRC) != crc32.ChecksumIEEE(body.bytes) {
		return header, body, p.bad(start, "page", "its checksum is wrong: the file is damaged")
	}
	return header, body, nil
}

// buffer is room for a page. What an earlier page left is used again once its values are given out.
func (p *parquetSource) buffer(size int) []byte {
	if len(p.out) > 0 || cap(p.room) < size {
		p.room = make([]byte, size)
	}
	return p.room[:size]
}

// readHeader reads a page's header, which says its own length nowhere: first with a small buffer.
func (p *parquetSource) readHeader(header *format.PageHeader, c chunk) (int, error) {
	for room := int64(1 << 10); ; room = maxPageHeader {
		b := make([]byte, min(room, c.end-p.off))
		if _, err := p.in.f.ReadAt(b, p.off); err != nil {
			return 0, p.caused(err, p.off, "page header", "can't be read")
		}
		n, err := decodeThrift(b, header)
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) || int64(len(b)) < room || room == maxPageHeader {
			return 0, p.caused(err, p.off, "page header", "can't be decoded")
		}
	}
}

func (p *parquetSource) dictionary(at int64, header format.PageHeader, body []byte, c chunk) error {
	h, ok := header.DictionaryPageHeader.Get()
	if !ok {
		return p.bad(at, "page header", "a dictionary's is missing")
	}
	data, err := p.decompress(at, c.codec, body, header.UncompressedPageSize)
	if err != nil {
		return err
	}
	if p.cells != nil {
		return p.cells.dictionary(at, int(h.NumValues), h.Encoding, bytes.Clone(data))
	}
	if n := int64(h.NumValues) * int64(p.leaf.stored.size); n != int64(len(data)) ||
		(h.Encoding != format.Plain && h.Encoding != plainDictionary) {
		return p.bad(at, "dictionary", "%d values in %d bytes of encoding %s", h.NumValues, len(data), h.Encoding)
	}
	p.dict = bytes.Clone(data) // it outlives the page's buffer
	return nil
}

func (p *parquetSource) dataPageV1(at int64, header format.PageHeader, body []byte, c chunk) error {
	h, ok := header.DataPageHeader.Get()
	if !ok {
		return p.bad(at, "page header", "a data page's is missing")
	}
	if (p.leaf.maxRep > 0 && h.RepetitionLevelEncoding != format.RLE) ||
		(p.leaf.maxDef > 0 && h.DefinitionLevelEncoding != format.RLE) {
		return p.caused(ErrUnsupported, at, "levels", "encoded otherwise than by runs: write the file with a current writer")
	}
	data, err := p.decompress(at, c.codec, body, header.UncompressedPageSize)
	if err != nil {
		return err
	}
	rep, data, ok := cutLevels(data, p.leaf.maxRep)
	if !ok {
		return p.bad(at, "repetition levels", "they end past the page")
	}
	def, data, ok := cutLevels(data, p.leaf.maxDef)
	if !ok {
		return p.bad(at, "definition levels", "they end past the page")
	}
	return p.dataPage(at, pageValues{n: int(h.NumValues), rep: rep, def: def, data: data, encoding: h.Encoding}, c)
}

// cutLevels parts levels up to the largest, which begin with their length, from what follows. There are none where all
// are 0.
func cutLevels(data []byte, largest int) (levels, rest []byte, ok bool) {
	if largest == 0 {
		return nil, data, true
	}
	if len(data) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.LittleEndian.Uint32(data))
	data = data[4:]
	if n > uint64(len(data)) {
		return nil, nil, false
	}
	return data[:n], data[n:], true
}

func (p *parquetSource) dataPageV2(at int64, header format.PageHeader, body []byte, c chunk) error {
	h, ok := header.DataPageHeaderV2.Get()
	if !ok {
		return p.bad(at, "page header", "a data page's is missing")
	}
	r, d := int64(h.RepetitionLevelsByteLength), int64(h.DefinitionLevelsByteLength)
	if r < 0 || d < 0 || r+d > int64(len(body)) || r+d > int64(header.UncompressedPageSize) {
		return p.bad(at, "levels", "%d and %d bytes are more than the page has", r, d)
	}
	v := pageValues{n: int(h.NumValues), rep: body[:r], def: body[r : r+d], data: body[r+d:], encoding: h.Encoding}
	if packed, set := h.IsCompressed.Get(); packed || !set {
		var err error
		if v.data, err = p.decompress(at, c.codec, v.data, header.UncompressedPageSize-int32(r+d)); err != nil {
			return err
		}
	}
	return p.dataPage(at, v, c)
}

// pageValues is a data page taken apart.
type pageValues struct {
	n        int
	rep, def []byte
	data     []byte
	encoding format.Encoding
}

func (p *parquetSource) dataPage(at int64, v pageValues, c chunk) error {
	if v.n < 0 || v.n > max(maxRunValues, len(v.data)) {
		return p.bad(at, "page values", "%d can't be in %d bytes", v.n, len(v.data))
	}
	if err := p.spend(at, int64(v.n)*entryCost); err != nil {
		return err
	}
	if p.cells != nil {
		return p.cells.page(at, v, c)
	}
	if err := p.levels(at, v, c); err != nil {
		return err
	}
	values, err := p.values(at, v)
	if err == nil && p.leaf.integers() && p.leaf.dt != p.leaf.stored {
		values, err = p.floats(at, values)
	}
	if err != nil {
		return err
	}
	if len(p.out) == 0 {
		p.out = values
	} else {
		p.out = append(p.out, values...)
	}
	return nil
}

// levels counts rows and checks that they are all of the same length and without nulls.
func (p *parquetSource) levels(at int64, v pageValues, c chunk) error {
	seen := 0
	err := eachLevel(v.def, p.leaf.maxDef, v.n, func(level uint32, n int) error {
		if int(level) != p.leaf.maxDef {
			return p.bad(at, "values", "row %d is null, empty, or has a null in it: drop or fill such rows", p.rowOf(v, seen))
		}
		seen += n
		return nil
	})
	if err != nil {
		return p.levelError(err, at, "definition levels")
	}
	err = eachLevel(v.rep, p.leaf.maxRep, v.n, func(level uint32, n int) error {
		if level == 0 {
			return p.beginRows(at, n, c)
		}
		p.column += n
		if level != 1 || p.rows == 0 || p.column > maxDim || (p.dim > 0 && p.column > p.dim) {
			return p.bad(at, "row", "row %d has %d values or more, the first row has %d: all must have the same, and at most %d",
				p.before+p.rows-1, p.column, p.dim, maxDim)
		}
		return nil
	})
	return p.levelError(err, at, "repetition levels")
}

// rowOf is the number of the row, in the file, that value i of a page belongs to.
func (p *parquetSource) rowOf(v pageValues, i int) int64 {
	row, seen := p.before+p.rows-1, 0
	// Another pass reports what is wrong with levels.
	_ = eachLevel(v.rep, p.leaf.maxRep, v.n, func(level uint32, n int) error {
		if level == 0 && seen <= i {
			row += int64(min(n, i+1-seen))
		}
		seen += n
		return nil
	})
	return max(row, 0)
}

func (p *parquetSource) levelError(err error, at int64, field string) error {
	if err == nil || errors.As(err, new(*FormatError)) {
		return err
	}
	return p.caused(err, at, field, "can't be decoded")
}

// beginRows begins n rows; all but the last have one value.
func (p *parquetSource) beginRows(at int64, n int, c chunk) error {
	for range n {
		if p.rows > 0 {
			if err := p.endRow(); err != nil {
				return err
			}
		}
		if p.rows == c.rows {
			return p.bad(at, "rows", "there are more than the %d that the row group's metadata has", c.rows)
		}
		p.rows++
		p.column = 1
	}
	return nil
}

// values decodes a page's values to little-endian elements.
func (p *parquetSource) values(at int64, v pageValues) ([]byte, error) {
	size := p.leaf.stored.size
	switch v.encoding {
	case format.Plain, format.ByteStreamSplit:
		if len(v.data) != v.n*size {
			return nil, p.bad(at, "values", "%d take %d bytes, the page has %d", v.n, v.n*size, len(v.data))
		}
		if v.encoding == format.Plain {
			return v.data, nil
		}
		return joinStreams(v.data, v.n, size), nil
	case plainDictionary, format.RLEDictionary:
		return p.lookUp(at, v)
	}
	return nil, p.caused(ErrUnsupported, at, "encoding",
		"%s: write plain, dictionary or byte-stream-split values", v.encoding)
}

// floats makes float32 of integers, which must not lose anything by that.
func (p *parquetSource) floats(at int64, raw []byte) ([]byte, error) {
	const exact = 1 << 24 // up to which float32 holds every integer
	stored := p.leaf.stored
	out := make([]byte, 0, len(raw)/stored.size*4)
	for i := 0; i < len(raw); i += stored.size {
		v, negative := stored.integerAt(raw[i:])
		f := float32(v)
		if negative {
			f, v = float32(int64(v)), -v
		}
		if v > exact {
			return nil, p.bad(at, "values",
				"%.0f is more than float32 holds of integers exactly, %d: write the column as floats", f, exact)
		}
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(f))
	}
	return out, nil
}

// joinStreams undoes the split that lays all first bytes before all second ones.
func joinStreams(data []byte, n, size int) []byte {
	out := make([]byte, len(data))
	for j := range size {
		for i, b := range data[j*n:][:n] {
			out[i*size+j] = b
		}
	}
	return out
}

// lookUp decodes indices into the dictionary.
func (p *parquetSource) lookUp(at int64, v pageValues) ([]byte, error) {
	size := p.leaf.stored.size
	if p.dict == nil || len(v.data) == 0 {
		return nil, p.bad(at, "values", "they refer to a dictionary that isn't there")
	}
	out := make([]byte, 0, v.n*size)
	err := eachRun(v.data[1:], int(v.data[0]), v.n, func(index uint32, n int) error {
		lo := int64(index) * int64(size)
		if lo >= int64(len(p.dict)) {
			return p.bad(at, "values", "entry %d is past the dictionary's %d", index, len(p.dict)/size)
		}
		for range n {
			out = append(out, p.dict[lo:lo+int64(size)]...)
		}
		return nil
	})
	return out, p.levelError(err, at, "values")
}
