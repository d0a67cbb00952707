package documents

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/shale-search/shale/internal/dataname"
)

// mostRowBytes bounds a line of text, or a row of CSV.
const mostRowBytes = 64 << 20

// input is a file of text, or standard input.
type input struct {
	name string
	f    *os.File
	size int64 // 0 if it isn't known
	read int64 // bytes read so far
	row  int64 // what was read before the present row began
}

func openInput(name string) (*input, error) {
	if name == dataname.Stdin {
		return &input{name: "standard input", f: os.Stdin}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, dataname.ExplainOpen(name, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	in := &input{name: name, f: f}
	if info.Mode().IsRegular() {
		in.size = info.Size()
	}
	return in, nil
}

var errLongRow = fmt.Errorf("it has more than %d MiB: is a quote or the line's end missing?", mostRowBytes>>20)

// Read implements io.Reader. A row that has no end is an error.
func (in *input) Read(b []byte) (int, error) {
	if in.read-in.row > mostRowBytes {
		return 0, errLongRow
	}
	n, err := in.f.Read(b)
	in.read += int64(n)
	return n, err
}

// beginRow says that what is read from now on belongs to another row.
func (in *input) beginRow() { in.row = in.read }

func (in *input) done() float64 {
	if in.size == 0 {
		return 0
	}
	return min(1, float64(in.read)/float64(in.size))
}

func (in *input) Close() error {
	if in.f == os.Stdin {
		return nil
	}
	return in.f.Close()
}

// withoutMark returns a reader of a text without the mark of UTF-8 that some programs begin it with.
func withoutMark(in io.Reader) *bufio.Reader {
	r := bufio.NewReaderSize(in, 64<<10)
	if b, err := r.Peek(3); err == nil && string(b) == "\ufeff" {
		_, _ = r.Discard(len(b))
	}
	return r
}
