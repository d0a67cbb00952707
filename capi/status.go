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

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/shard"
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

// meanings are the errors that callers tell apart.
var meanings = []struct {
	is     error
	status status
}{
	{context.Canceled, C.SHALE_CANCELLED},
	{hnsw.ErrClosed, C.SHALE_CLOSED},
	{errFew, C.SHALE_FEW},
	{hnsw.ErrTooFew, C.SHALE_FEW},
	{hnsw.ErrNotFinite, C.SHALE_VALUE},
	{hnsw.ErrTooLarge, C.SHALE_VALUE},
	{hnsw.ErrLabel, C.SHALE_NO_LABEL},
	{hnsw.ErrDeleted, C.SHALE_DELETED},
	{hnsw.ErrNotDeleted, C.SHALE_NOT_DELETED},
	{hnsw.ErrFull, C.SHALE_FULL},
	{hnsw.ErrReplaceDisabled, C.SHALE_NO_REPLACING},
	{hnsw.ErrUpdateDeleted, C.SHALE_UPDATES_DELETED},
	{collection.ErrInvalid, C.SHALE_VALUE},
	{collection.ErrNotCollection, C.SHALE_DAMAGED},
	{shale.ErrReadOnly, C.SHALE_READ_ONLY},
	{shale.ErrNotIndex, C.SHALE_DAMAGED},
	{shale.ErrChanged, C.SHALE_EXISTS},
	{shard.ErrMemory, C.SHALE_MEMORY},
	{fs.ErrNotExist, C.SHALE_NO_FILE},
	{fs.ErrExist, C.SHALE_EXISTS},
	{fs.ErrPermission, C.SHALE_DENIED},
}

// statusOf returns the status that stands for an error.
func statusOf(err error) status {
	var own *statusError
	if errors.As(err, &own) {
		return own.status
	}
	var short *eval.RecallError
	if errors.As(err, &short) {
		return C.SHALE_RECALL
	}
	if errors.Is(err, vector.ErrDim) {
		return C.SHALE_DIM
	}
	var damaged *format.Error // which may wrap one of those below, such as a file that is missing in a directory
	if errors.As(err, &damaged) {
		return C.SHALE_DAMAGED
	}
	for _, m := range meanings {
		if errors.Is(err, m.is) {
			return m.status
		}
	}
	return C.SHALE_ERROR
}

// answer makes err the calling thread's last error.
func answer(err error) status {
	if err == nil {
		return C.SHALE_OK
	}
	text := strings.TrimPrefix(err.Error(), "hnsw: ")
	b := append([]byte(text), 0)
	C.shale_set_error((*C.char)(unsafe.Pointer(&b[0])), C.int64_t(len(text)))
	return statusOf(err)
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
