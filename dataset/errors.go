package dataset

import "github.com/shale-search/shale/internal/datafile"

// ErrUnknownFormat means that neither the extension nor the first bytes of a file tell its format.
var ErrUnknownFormat = datafile.ErrUnknownFormat

// FormatError describes what is wrong with a file, where, and how to mend it.
type FormatError = datafile.FormatError
