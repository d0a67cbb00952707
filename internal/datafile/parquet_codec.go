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

// What a page may unpack to: writers make pages of about 1 MiB, and of constant values those shrink to nearly nothing.
const (
	freePage = 64 << 20
	maxRatio = 1100 // a little more than deflate reaches
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
	out, err := p.codec.unpack(codec, data, int(size))
	if err != nil {
		return nil, p.caused(err, at, "page", "can't be unpacked by %s", codec)
	}
	if len(out) != int(size) {
		return nil, p.bad(at, "page size", "its header declares another than what it unpacks to")
	}
	return out, nil
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
