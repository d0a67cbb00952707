package datafile

import (
	"archive/zip"
	"errors"
	"io"
	"strings"

	"github.com/shale-search/shale/vector"
)

// array is an opened array of an npy or npz file, its shape checked against what is there.
type array struct {
	origin
	npyHeader
	data denseSource
	in   *input // nil for a member of an npz and for a pipe, which can't be read at an offset
}

// openArray opens the array that a file holds. Of an npz it takes the member named, else the only one that wanted
// accepts.
func openArray(in *input, format, member string, wanted func(npyHeader) bool) (*array, error) {
	if format == ".npz" {
		return openMember(in, member, wanted)
	}
	h, err := readNpyHeader(in.origin, in.from(0, in.size), in.size)
	if err != nil {
		return nil, err
	}
	want, err := in.checkArray(h)
	if err != nil {
		return nil, err
	}
	if have := in.size - h.size; have != want && in.pipe == nil {
		return nil, in.bad(h.size, "shape", "%v of %s takes %d bytes, but %d follow the header: the file is cut off or "+
			"holds several arrays", h.shape, h.dt, want, have)
	}
	src := denseSource{origin: in.origin, r: in.from(h.size, want), off: h.size, closer: in.f}
	a := &array{origin: in.origin, npyHeader: h, data: src}
	if in.pipe == nil {
		a.in = in
	}
	return a, nil
}

func (o origin) checkArray(h npyHeader) (int64, error) {
	n, err := h.bytes()
	if err != nil {
		return 0, o.caused(err, 0, "shape", "can't be used")
	}
	return n, nil
}

// openMember opens an array of an npz file.
func openMember(in *input, name string, wanted func(npyHeader) bool) (*array, error) {
	if err := in.whole("npz"); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(in.f, in.size)
	if err != nil {
		return nil, in.caused(err, -1, "archive", "is no zip file that can be read")
	}
	var firstErr error
	var found *array
	var names []string // of all that would do
	for _, f := range z.File {
		key := strings.TrimSuffix(f.Name, ".npy")
		if (name != "" && name != key && name != f.Name) || (name == "" && key == f.Name) {
			continue
		}
		a, err := openZipped(in, f, key)
		switch {
		case err != nil && firstErr == nil:
			firstErr = err
		case err != nil:
		case found == nil && (name != "" || wanted(a.npyHeader)):
			found, names = a, append(names, key)
		default:
			if name != "" || wanted(a.npyHeader) {
				names = append(names, key)
			}
			a.closeMember()
		}
	}
	switch {
	case len(names) == 1:
		return found, nil
	case len(names) > 1:
		found.closeMember()
		return nil, in.ambiguous(name, names)
	case firstErr != nil:
		return nil, firstErr
	case name != "":
		return nil, in.bad(-1, "member", "there is no array %q: the file has %s", name, memberNames(z))
	}
	return nil, in.bad(-1, "member", "no array is of the kind wanted: name one as %s:NAME, of %s", in.file, memberNames(z))
}

// ambiguous is the error of an archive in which several arrays would do.
func (in *input) ambiguous(name string, names []string) error {
	if name != "" {
		return in.bad(-1, "member", "%d arrays are named %q: write the file again with a name for each", len(names), name)
	}
	return in.bad(-1, "member", "several arrays would do: name one as %s:NAME, of %s", in.file, listed(names))
}

// closeMember closes a member of an archive, and leaves the archive open.
func (a *array) closeMember() {
	if m, ok := a.data.closer.(*memberCloser); ok {
		m.member.Close()
	}
}

func memberNames(z *zip.Reader) string {
	var names []string
	for _, f := range z.File {
		names = append(names, strings.TrimSuffix(f.Name, ".npy"))
	}
	return listed(names)
}

// listed lists names, the first few where there are many.
func listed(names []string) string {
	const shown = 8
	if len(names) > shown {
		names = append(names[:shown:shown], "…")
	}
	return strings.Join(names, ", ")
}

// maxDeflate is the most that deflate shrinks data; a member that claims more is damaged.
const maxDeflate = 1032

func openZipped(in *input, f *zip.File, key string) (*array, error) {
	o := origin{in.file + ":" + key}
	size, packed := f.UncompressedSize64, f.CompressedSize64
	if packed > uint64(in.size) || size/maxDeflate > packed {
		return nil, o.bad(-1, "member size", "%d bytes packed in %d of a file of %d can't be: the file is damaged",
			size, packed, in.size)
	}
	r, err := f.Open()
	if err != nil {
		return nil, o.caused(err, -1, "member", "can't be opened")
	}
	h, err := readNpyHeader(o, r, int64(size))
	if err == nil {
		err = o.checkMember(h, int64(size))
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	src := denseSource{origin: o, r: r, off: h.size, closer: &memberCloser{member: r, file: in.f}}
	return &array{origin: o, npyHeader: h, data: src}, nil
}

func (o origin) checkMember(h npyHeader, size int64) error {
	want, err := o.checkArray(h)
	if err != nil {
		return err
	}
	if have := size - h.size; have != want {
		return o.bad(h.size, "shape", "%v of %s takes %d bytes, but %d follow the header: the file is damaged",
			h.shape, h.dt, want, have)
	}
	return nil
}

// memberCloser closes a member and its archive.
type memberCloser struct{ member, file io.Closer }

func (m *memberCloser) Close() error { return errors.Join(m.member.Close(), m.file.Close()) }

// openArrayRows opens an array as rows of vectors.
func openArrayRows(in *input, format, member string) (*stream, error) {
	a, err := openArray(in, format, member, func(h npyHeader) bool {
		_, ok := h.dt.vectorType()
		return ok && len(h.shape) == 2
	})
	if err != nil {
		return nil, err
	}
	s, err := a.stream()
	if err != nil {
		a.closeMember()
	}
	return s, err
}

func (a *array) stream() (*stream, error) {
	if len(a.shape) != 2 {
		return nil, a.bad(0, "shape", "%v has %d axes, vectors need 2: reshape it to (rows, dimension)",
			a.shape, len(a.shape))
	}
	rows, dim := a.shape[0], a.shape[1]
	if _, err := a.checkShape(0, rows, dim, max(a.dt.size, vector.Float32.Size())); err != nil {
		return nil, err
	}
	var src rowSource = &a.data
	if a.fortran && rows > 1 && dim > 1 {
		if a.in == nil {
			return nil, a.caused(ErrUnsupported, 0, "fortran_order",
				"an array in Fortran order can't be read from front to back: "+
					"save it with np.ascontiguousarray, or as an .npy that is no pipe")
		}
		src = &columnSource{origin: a.origin, in: a.in, base: a.size, rows: int(rows), dim: int(dim), size: a.dt.size}
	}
	return newStream(a.origin, src, a.dt, rows, dim)
}
