package datafile

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// What a page may unpack to, and what all that is read of a file may. Writers make pages of about 1 MiB, which shrink
// to nearly nothing if the values are constant.
const (
	freePage  = 64 << 20
	maxRatio  = 1100 // a little more than deflate reaches
	entryCost = 16   // bytes that a value counts for, besides those that it is packed in
)

// decompressor unpacks pages. The zero one is ready.
type decompressor struct {
	zstd *zstd.Decoder
}

func (d *decompressor) close() {
	if d.zstd != nil {
		d.zstd.Close()
	}
}

// decompress unpacks a page to the size that its header declares.
func (p *parquetSource) decompress(at int64, codec format.CompressionCodec, data []byte, size int32) ([]byte, error) {
	if size < 0 || int64(size) > max(freePage, maxRatio*int64(len(data))) {
		return nil, p.bad(at, "page size", "%d bytes can't come from %d", size, len(data))
	}
	if err := p.spend(at, int64(size)); err != nil {
		return nil, err
	}
	out, err := p.codec.unpack(codec, data, int(size))
	if err != nil {
		return nil, p.caused(err, at, "page", "can't be unpacked by %s", codec)
	}
	if len(out) != int(size) {
		return nil, p.bad(at, "page size", "its header declares another than what it unpacks to")
	}
	return out, nil
}

// spend counts n more bytes that the file unpacks to. Pages of constant values give millions of values for a few bytes,
// and row groups may share pages, so that bounds of single pages don't bound the time that a hostile file takes.
func (p *parquetSource) spend(at, n int64) error {
	if p.in.spent += n; p.in.spent > freePage+maxRatio*p.in.size {
		return p.bad(at, "values", "by this page they take %d bytes, which can't come from a file of %d: "+
			"write it without compression and dictionaries", p.in.spent, p.in.size)
	}
	return nil
}

// unpack gives at most size + 1 bytes.
func (d *decompressor) unpack(codec format.CompressionCodec, data []byte, size int) ([]byte, error) {
	switch codec {
	case format.Uncompressed:
		return data, nil
	case format.Snappy:
		if n, err := snappy.DecodedLen(data); err != nil || n != size {
			return nil, fmt.Errorf("it declares %d bytes, its page %d: %w", n, size, snappy.ErrCorrupt)
		}
		return snappy.Decode(nil, data)
	case format.Gzip:
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(io.LimitReader(r, int64(size)+1))
	case format.Zstd:
		return d.unpackZstd(data, size)
	}
	return nil, fmt.Errorf("%w: write the file with snappy, gzip, zstd or no compression", ErrUnsupported)
}

func (d *decompressor) unpackZstd(data []byte, size int) ([]byte, error) {
	r := bytes.NewReader(data)
	if d.zstd == nil {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(freePage))
		if err != nil {
			return nil, err
		}
		d.zstd = dec
	}
	if err := d.zstd.Reset(r); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(d.zstd, int64(size)+1))
}
