package datafile

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/parquet-go/parquet-go/format"
)

// cellValues are the values of a page or of a dictionary: numbers of one size, one after another, or texts.
type cellValues struct {
	data  []byte
	spans [][2]uint32 // of texts: where each begins and ends
	n     int
}

var errDeltas = errors.New("the blocks of differences are damaged")

// text returns the bytes of a value.
func (v cellValues) text(i, size int) []byte {
	if size > 0 {
		return v.data[i*size:][:size]
	}
	return v.data[v.spans[i][0]:v.spans[i][1]]
}

// dictionary takes the values that a row group's pages refer to.
func (l *cells) dictionary(at int64, n int, encoding format.Encoding, data []byte) (err error) {
	if n < 0 || n > len(data) && n > 0 || encoding != format.Plain && encoding != plainDictionary {
		return l.src.bad(at, "dictionary", "%d values in %d bytes of encoding %s", n, len(data), encoding)
	}
	l.dict, err = l.plain(at, data, n)
	return err
}

// decode decodes the n values of a page.
func (l *cells) decode(at int64, v pageValues, n int) (cellValues, error) {
	if n == 0 {
		return cellValues{}, nil
	}
	size := l.kind.size
	switch {
	case v.encoding == format.Plain:
		return l.plain(at, v.data, n)
	case v.encoding == plainDictionary || v.encoding == format.RLEDictionary:
		return l.lookUp(at, v.data, n)
	case v.encoding == format.ByteStreamSplit && size > 0:
		if len(v.data) != n*size {
			return cellValues{}, l.src.bad(at, "values", "%d take %d bytes, the page has %d", n, n*size, len(v.data))
		}
		return cellValues{data: joinStreams(v.data, n, size), n: n}, nil
	case v.encoding == format.RLE && l.kind.physical == format.Boolean && len(v.data) >= 4:
		return l.booleans(at, v.data[4:], n)
	case v.encoding == format.DeltaBinaryPacked && (size == 4 || size == 8):
		values, _, err := deltas(v.data, n)
		if err != nil {
			return cellValues{}, l.src.levelError(err, at, "values")
		}
		return packed(values, size), nil
	case v.encoding == format.DeltaLengthByteArray && size == 0:
		return l.deltaTexts(at, v.data, n)
	case v.encoding == format.DeltaByteArray:
		return l.deltaPrefixes(at, v.data, n)
	}
	return cellValues{}, l.src.caused(ErrUnsupported, at, "encoding", "%s of %s", v.encoding, l.kind.physical)
}

// plain decodes values that follow each other.
func (l *cells) plain(at int64, data []byte, n int) (cellValues, error) {
	size := l.kind.size
	if l.kind.physical == format.Boolean {
		if len(data) < (n+7)/8 {
			return cellValues{}, l.src.bad(at, "values", "%d booleans are not in %d bytes", n, len(data))
		}
		out := make([]byte, n)
		for i := range out {
			out[i] = data[i/8] >> (i % 8) & 1
		}
		return cellValues{data: out, n: n}, nil
	}
	if size > 0 {
		if int64(len(data)) != int64(n)*int64(size) {
			return cellValues{}, l.src.bad(at, "values", "%d take %d bytes, the page has %d", n, n*size, len(data))
		}
		return cellValues{data: data, n: n}, nil
	}
	if n > len(data)/4 {
		return cellValues{}, l.src.bad(at, "values", "%d texts are not in %d bytes", n, len(data))
	}
	spans := make([][2]uint32, n)
	off := uint64(0)
	for i := range spans {
		if off+4 > uint64(len(data)) {
			return cellValues{}, l.src.bad(at, "values", "text %d is not in the page", i)
		}
		length := uint64(binary.LittleEndian.Uint32(data[off:]))
		if off += 4; length > uint64(len(data))-off {
			return cellValues{}, l.src.bad(at, "values", "text %d has %d bytes, more than the page", i, length)
		}
		spans[i] = [2]uint32{uint32(off), uint32(off + length)}
		off += length
	}
	return cellValues{data: data, spans: spans, n: n}, nil
}

// booleans decodes runs of booleans.
func (l *cells) booleans(at int64, data []byte, n int) (cellValues, error) {
	out := make([]byte, 0, n)
	err := eachRun(data, 1, n, func(value uint32, times int) error {
		for range times {
			out = append(out, byte(value&1))
		}
		return nil
	})
	return cellValues{data: out, n: n}, l.src.levelError(err, at, "values")
}

// lookUp decodes indices into the dictionary.
func (l *cells) lookUp(at int64, data []byte, n int) (cellValues, error) {
	if len(data) == 0 {
		return cellValues{}, l.src.bad(at, "values", "they refer to a dictionary that isn't there")
	}
	size := l.kind.size
	if int64(n)*int64(size) > freePage {
		return cellValues{}, l.src.bad(at, "values", "%d of %d bytes are more than a page holds", n, size)
	}
	out := cellValues{n: n}
	if size == 0 {
		out.data, out.spans = l.dict.data, make([][2]uint32, 0, n)
	}
	err := eachRun(data[1:], int(data[0]), n, func(index uint32, times int) error {
		if int64(index) >= int64(l.dict.n) {
			return l.src.bad(at, "values", "entry %d is past the dictionary's %d", index, l.dict.n)
		}
		value := l.dict.text(int(index), size)
		if err := l.src.spend(at, int64(times)*int64(len(value))); err != nil {
			return err
		}
		for range times {
			if size == 0 {
				out.spans = append(out.spans, l.dict.spans[index])
			} else {
				out.data = append(out.data, value...)
			}
		}
		return nil
	})
	return out, l.src.levelError(err, at, "values")
}

// packed lays out integers in size bytes each.
func packed(values []int64, size int) cellValues {
	out := make([]byte, 0, len(values)*size)
	for _, v := range values {
		if size == 4 {
			out = binary.LittleEndian.AppendUint32(out, uint32(v))
		} else {
			out = binary.LittleEndian.AppendUint64(out, uint64(v))
		}
	}
	return cellValues{data: out, n: len(values)}
}

// deltaTexts decodes texts whose lengths come first.
func (l *cells) deltaTexts(at int64, data []byte, n int) (cellValues, error) {
	lengths, rest, err := deltas(data, n)
	if err != nil {
		return cellValues{}, l.src.levelError(err, at, "values")
	}
	out := cellValues{data: rest, spans: make([][2]uint32, n), n: n}
	off := int64(0)
	for i, length := range lengths {
		if length < 0 || length > int64(len(rest))-off {
			return cellValues{}, l.src.bad(at, "values", "text %d has %d bytes, more than the page", i, length)
		}
		out.spans[i] = [2]uint32{uint32(off), uint32(off + length)}
		off += length
	}
	return out, nil
}

// deltaPrefixes decodes texts of which each begins with a part of the one before.
func (l *cells) deltaPrefixes(at int64, data []byte, n int) (cellValues, error) {
	prefixes, rest, err := deltas(data, n)
	if err != nil {
		return cellValues{}, l.src.levelError(err, at, "values")
	}
	suffixes, err := l.deltaTexts(at, rest, n)
	if err != nil {
		return cellValues{}, err
	}
	size := l.kind.size
	out := cellValues{spans: make([][2]uint32, n), n: n}
	for i, prefix := range prefixes {
		before := [2]uint32{}
		if i > 0 {
			before = out.spans[i-1]
		}
		if prefix < 0 || prefix > int64(before[1]-before[0]) {
			return cellValues{}, l.src.bad(at, "values", "text %d begins with %d bytes of the one before, which has %d",
				i, prefix, before[1]-before[0])
		}
		start := uint32(len(out.data))
		out.data = append(out.data, out.data[before[0]:before[0]+uint32(prefix)]...)
		out.data = append(out.data, suffixes.text(i, 0)...)
		if len(out.data) > freePage {
			return cellValues{}, l.src.bad(at, "values", "the texts of a page have more than %d bytes", freePage)
		}
		out.spans[i] = [2]uint32{start, uint32(len(out.data))}
		if size > 0 && len(out.data)-int(start) != size {
			return cellValues{}, l.src.bad(at, "values", "value %d has %d bytes, not %d", i, len(out.data)-int(start), size)
		}
	}
	return out, nil
}

// deltas decodes n integers of which the differences are packed in blocks, and returns what follows them.
func deltas(b []byte, n int) (values []int64, rest []byte, err error) {
	var head [3]uint64 // of a block: values; parts; of all blocks: values
	for i := range head {
		var k int
		if head[i], k = binary.Uvarint(b); k <= 0 {
			return nil, nil, io.ErrUnexpectedEOF
		}
		b = b[k:]
	}
	value, k := binary.Varint(b)
	if k <= 0 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	b = b[k:]
	block, parts := head[0], head[1]
	if parts == 0 || block > 1<<16 || block%parts != 0 || block/parts%8 != 0 || block == 0 || head[2] != uint64(n) {
		return nil, nil, errDeltas
	}
	values = append(make([]int64, 0, n), value)
	for len(values) < n {
		if b, err = deltaBlock(&values, b, n, int(parts), int(block/parts)); err != nil {
			return nil, nil, err
		}
	}
	return values[:n], b, nil
}

// deltaBlock appends the values of a block of parts, each of which packs each differences.
func deltaBlock(values *[]int64, b []byte, n, parts, each int) ([]byte, error) {
	least, k := binary.Varint(b)
	if k <= 0 || len(b)-k < parts {
		return nil, io.ErrUnexpectedEOF
	}
	widths, b := b[k:k+parts], b[k+parts:]
	value := (*values)[len(*values)-1]
	for _, width := range widths {
		if len(*values) >= n {
			break // parts without values aren't written
		}
		size := each * int(width) / 8
		if width > 64 || size > len(b) {
			return nil, errDeltas
		}
		for i := range min(each, n-len(*values)) {
			value += least + int64(bitsAt(b[:size], i*int(width), int(width)))
			*values = append(*values, value)
		}
		b = b[size:]
	}
	return b, nil
}

// bitsAt returns width bits of b from a bit on, the lowest first.
func bitsAt(b []byte, bit, width int) (v uint64) {
	for got := 0; got < width; {
		from := (bit + got) % 8
		take := min(8-from, width-got)
		part := uint64(b[(bit+got)/8]>>from) & (1<<take - 1)
		v |= part << got
		got += take
	}
	return v
}

// float returns the number that comes next as float32.
func (l *cells) float() float32 {
	raw := l.values.text(l.value, l.kind.size)
	d := l.kind.stored
	if !d.integer() {
		var out [1]float32
		d.floats(out[:], raw)
		return out[0]
	}
	v, negative := d.integerAt(raw)
	if negative {
		return float32(int64(v))
	}
	return float32(v)
}
