package datafile

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// ReadFilter reads a set of labels: an npy or npz of integers, or of booleans indexed by label (a mask), a Parquet
// column of integers, a Roaring bitmap (.roaring, the portable format of 64 or 32 bits), or text as in ReadLabels.
//
// mask is the number of booleans of a mask, and −1 for other files. A mask of another length than the number of labels
// was made for another index.
func ReadFilter(path string) (set *roaring64.Bitmap, mask int64, err error) {
	set, mask = roaring64.New(), -1
	add := func(v uint64) { set.Add(v) }
	err = withInput(path, func(in *input, format, member string) (err error) {
		switch {
		case format == ".npy" || format == ".npz":
			mask, err = in.arrayFilter(format, member, set)
			return err
		case format == ".roaring":
			if err := in.whole("roaring"); err != nil {
				return err
			}
			set, err = in.roaring()
			return err
		case format == ".parquet":
			return in.parquetLabels(member, add)
		case format != "":
			return in.unknown(".npy, .npz, .parquet, .roaring or text")
		}
		return textLabels(in, add)
	})
	if err != nil {
		return nil, -1, err
	}
	return set, mask, nil
}

// arrayFilter adds the labels that an array lists, or the positions of true in a mask. It returns the length of a mask,
// or −1.
func (in *input) arrayFilter(format, member string, set *roaring64.Bitmap) (mask int64, err error) {
	a, err := openArray(in, format, member, func(h npyHeader) bool {
		return len(h.shape) == 1 && (h.dt.integer() || h.dt.kind == 'b')
	})
	if err != nil {
		return -1, err
	}
	if err := a.flat(); err != nil {
		return -1, err
	}
	switch {
	case a.dt.kind == 'b':
		src := a.ints()
		mask = src.left
		return mask, addTrue(src, set)
	case a.dt.integer():
		return -1, a.ints().labels(a.origin, func(v uint64) { set.Add(v) })
	}
	return -1, a.bad(0, "descr", "elements are %s: want integers (labels) or booleans (one a label)", a.dt)
}

// addTrue adds the positions of what isn't zero, run by run.
func addTrue(src *intSource, set *roaring64.Bitmap) error {
	start := int64(-1) // of the run that is open
	for {
		first := src.read
		raw, err := src.next()
		if err != nil {
			return err
		}
		for i, b := range raw {
			at := first + int64(i)
			switch {
			case b != 0 && start < 0:
				start = at
			case b == 0 && start >= 0:
				set.AddRange(uint64(start), uint64(at))
				start = -1
			}
		}
		if len(raw) == 0 {
			if start >= 0 {
				set.AddRange(uint64(start), uint64(src.read))
			}
			return nil
		}
	}
}

// roaring decodes the whole file. Both portable formats begin with what the other can't: 64 bits with a count of
// buckets, 32 with a cookie that would be a count past any file.
func (in *input) roaring() (*roaring64.Bitmap, error) {
	data, err := in.all()
	if err != nil {
		return nil, err
	}
	set, err64 := in.roaring64(data)
	if err64 == nil {
		return set, nil
	}
	set, err32 := in.roaring32(data)
	if err32 == nil {
		return set, nil
	}
	if len(data) >= 4 && isCookie(binary.LittleEndian.Uint32(data)) {
		return nil, err32
	}
	return nil, err64
}

// isCookie tells whether a 32-bit bitmap may begin with v.
func isCookie(v uint32) bool { return v == 12346 || v&0xffff == 12347 }

func (in *input) roaring64(data []byte) (set *roaring64.Bitmap, err error) {
	defer in.guard(&err, "bitmap")
	const header, bucket = 8, 12 // the least that a bucket takes: its key and an empty 32-bit bitmap
	if len(data) < header {
		return nil, in.bad(int64(len(data)), "buckets",
			"the file ends within their count: want a Roaring bitmap in portable format")
	}
	if n := binary.LittleEndian.Uint64(data); n > uint64(len(data)-header)/bucket {
		return nil, in.bad(0, "buckets", "%d don't fit %d bytes: want a Roaring bitmap in portable format", n, len(data))
	}
	set = roaring64.New()
	n, err := set.ReadFrom(bytes.NewReader(data))
	if err == nil && n == int64(len(data)) {
		err = set.Validate()
	}
	return set, in.bitmapError(n, err)
}

func (in *input) roaring32(data []byte) (set *roaring64.Bitmap, err error) {
	defer in.guard(&err, "bitmap")
	b := roaring.New()
	n, err := b.ReadFrom(bytes.NewReader(data))
	if err == nil && n == int64(len(data)) && !b.IsEmpty() {
		err = b.Validate()
	}
	if err := in.bitmapError(n, err); err != nil {
		return nil, err
	}
	return roaring64.Roaring32AsRoaring64(b), nil
}

// bitmapError says what is wrong with a bitmap that a library read n bytes of.
func (in *input) bitmapError(n int64, err error) error {
	if err == nil && n != in.size {
		err = fmt.Errorf("%d bytes follow its end", in.size-n)
	}
	if err != nil {
		return in.caused(err, n, "bitmap", "the file is no sound Roaring bitmap in portable format")
	}
	return nil
}
