package main

/*
#include "entry.h"
#include "shale.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unsafe"

	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/vector"
)

type status = C.int32_t

// statusError is an error whose status is not told by what it wraps.
type statusError struct {
	status status
	text   string
}

func (e *statusError) Error() string { return e.text }

// valueError is an argument's value that is wrong.
func valueError(text string, args ...any) error {
	return &statusError{C.SHALE_VALUE, fmt.Sprintf(text, args...)}
}

var (
	errNoObject  = &statusError{C.SHALE_CLOSED, "the index is closed"}
	errOtherKind = &statusError{C.SHALE_VALUE, "the handle is that of another kind of object"}
	errStopped   = &statusError{C.SHALE_CANCELLED, "stopped by the filter"}
)

// meanings are the errors that callers of hnswlib tell apart by how their text starts.
var meanings = []struct {
	is     error
	status status
	text   string
}{
	{context.Canceled, C.SHALE_CANCELLED, "cancelled"},
	{hnsw.ErrClosed, C.SHALE_CLOSED, "the index is closed"},
	{hnsw.ErrTooFew, C.SHALE_FEW, "Cannot return the results in a contiguous 2D array. Probably ef or M is too small"},
	{hnsw.ErrNotFinite, C.SHALE_VALUE, "NaN or infinity in the vectors"},
	{hnsw.ErrTooLarge, C.SHALE_VALUE, "Vectors too large"},
	{hnsw.ErrFull, C.SHALE_ERROR, "The number of elements exceeds the specified limit"},
	{hnsw.ErrLabel, C.SHALE_ERROR, "Label not found"},
	{hnsw.ErrDeleted, C.SHALE_ERROR, "The requested to delete element is already deleted"},
	{hnsw.ErrNotDeleted, C.SHALE_ERROR, "The requested to undelete element is not deleted"},
	{hnsw.ErrReplaceDisabled, C.SHALE_ERROR, "Replacement of deleted elements is disabled in constructor"},
	{hnsw.ErrUpdateDeleted, C.SHALE_ERROR, "Can't use addPoint to update deleted elements if replacement of deleted elements is enabled."},
	{vector.ErrDim, C.SHALE_ERROR, "Wrong dimensionality of the vectors"},
	{fs.ErrNotExist, C.SHALE_ERROR, "Cannot open file"},
	{fs.ErrPermission, C.SHALE_ERROR, "Cannot open file"},
}

// explain gives an error's status and text.
func explain(err error) (status, string) {
	var own *statusError
	if errors.As(err, &own) {
		return own.status, err.Error()
	}
	var damaged *format.Error
	if errors.As(err, &damaged) {
		return C.SHALE_ERROR, "Index seems to be corrupted or unsupported: " + err.Error()
	}
	for _, m := range meanings {
		if !errors.Is(err, m.is) {
			continue
		}
		if rest, ok := strings.CutPrefix(err.Error(), m.is.Error()); ok {
			return m.status, m.text + rest
		}
		return m.status, m.text + ": " + err.Error()
	}
	return C.SHALE_ERROR, strings.TrimPrefix(err.Error(), "hnsw: ")
}

// answer makes err the calling thread's last error.
func answer(err error) status {
	if err == nil {
		return C.SHALE_OK
	}
	code, text := explain(err)
	b := append([]byte(text), 0)
	C.shale_set_error((*C.char)(unsafe.Pointer(&b[0])), C.int64_t(len(text)))
	return code
}

// catch makes a panic an error: none may unwind into C.
func catch(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("internal error, please report it: %v", p)
	}
}

// do runs fn and answers for it.
func do(fn func() error) status { return answer(safely(fn)) }

func safely(fn func() error) (err error) {
	defer catch(&err)
	return fn()
}
