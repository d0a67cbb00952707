package atomicfile

import "errors"

// duplicate fails: no path leads to an open file here.
func duplicate(int) (int, error) { return 0, errors.ErrUnsupported }
