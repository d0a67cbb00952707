package datafile

// intSource reads a file's integers in order, a block at a time.
type intSource struct {
	rowSource
	dt    dtype
	left  int64
	block []byte
	read  int64 // how many came so far, for messages
}

// next gives the bytes of the next elements, none at the end.
func (s *intSource) next() ([]byte, error) {
	if s.left == 0 {
		return nil, s.finish()
	}
	if s.block == nil {
		s.block = make([]byte, min(s.left, blockSize/8)*int64(s.dt.size))
	}
	n := min(s.left, int64(len(s.block)/s.dt.size))
	raw := s.block[:n*int64(s.dt.size)]
	if err := s.readRows(raw); err != nil {
		return nil, err
	}
	s.left -= n
	s.read += n
	return raw, nil
}

// each hands on every integer with its place.
func (s *intSource) each(use func(i int64, v uint64, neg bool) error) error {
	for {
		first := s.read
		raw, err := s.next()
		if err != nil || len(raw) == 0 {
			return err
		}
		for i := 0; i < len(raw); i += s.dt.size {
			v, neg := s.dt.integerAt(raw[i:])
			if err := use(first+int64(i/s.dt.size), v, neg); err != nil {
				return err
			}
		}
	}
}

// labels are the integers as labels.
func (s *intSource) labels(o origin, use func(uint64)) error {
	return s.each(func(i int64, v uint64, neg bool) error {
		if neg {
			return o.bad(-1, "labels", "label %d is %d: labels are not negative", i, int64(v))
		}
		use(v)
		return nil
	})
}

// ints are the array's elements in order.
func (a *array) ints() *intSource {
	n := int64(1)
	for _, d := range a.shape {
		n *= d
	}
	return &intSource{rowSource: &a.data, dt: a.dt, left: n}
}

// flat checks that the array is a list: of one axis, or of two with one of them 1.
func (a *array) flat() error {
	switch {
	case len(a.shape) == 1:
		return nil
	case len(a.shape) == 2 && (a.shape[0] == 1 || a.shape[1] == 1):
		return nil
	}
	return a.bad(0, "shape", "%v is no list: flatten it", a.shape)
}

// openIntegers opens an npy's or npz's array of integers.
func openIntegers(in *input, format, member string, axes int) (*array, error) {
	a, err := openArray(in, format, member, func(h npyHeader) bool { return h.dt.integer() && len(h.shape) == axes })
	if err != nil {
		return nil, err
	}
	if !a.dt.integer() {
		return nil, a.bad(0, "descr", "elements are %s, not integers: convert them with astype(int64)", a.dt)
	}
	return a, nil
}

// withInput opens path and closes it after use.
func withInput(path string, use func(in *input, format, member string) error) error {
	in, member, err := openInput(path)
	if err != nil {
		return err
	}
	defer func() { in.f.Close() }()
	format, err := in.format()
	if err != nil {
		return err
	}
	return use(in, format, member)
}
