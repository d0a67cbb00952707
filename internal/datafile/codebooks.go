package datafile

import "math"

// ReadCodebooks reads the codebooks of product quantization from an npy or npz of floats in C order. The array has
// three axes: sub-vectors, centroids of each, and values of each centroid.
func ReadCodebooks(path string) (books []float32, shape [3]int, err error) {
	err = withInput(path, func(in *input, format, member string) error {
		if format != ".npy" && format != ".npz" {
			return in.unknown(".npy or .npz of codebooks")
		}
		if err := in.whole("codebook"); err != nil { // which are allocated by what the header says
			return err
		}
		isBooks := func(h npyHeader) bool { return h.dt.kind == 'f' && len(h.shape) == 3 && !h.fortran }
		a, err := openArray(in, format, member, isBooks)
		if err != nil {
			return err
		}
		if !isBooks(a.npyHeader) {
			return a.bad(-1, "shape", "%v of %s, not sub-vectors × centroids × values of floats in C order", a.shape, a.dt)
		}
		const most = 1 << 28 // values: 65,536 dimensions of 256 centroids are a sixteenth of it
		n := int64(1)
		for i, d := range a.shape {
			if d < 1 || d > maxDim || n*d > most {
				return a.bad(-1, "shape", "%v is none of codebooks", a.shape)
			}
			shape[i] = int(d)
			n *= d
		}
		raw := make([]byte, n*int64(a.dt.size))
		if err := a.data.readRows(raw); err != nil {
			return err
		}
		books = make([]float32, n)
		a.dt.floats(books, raw)
		for i, v := range books {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return a.bad(-1, "data", "value %d is %v", i, v)
			}
		}
		return a.data.finish()
	})
	return books, shape, err
}
