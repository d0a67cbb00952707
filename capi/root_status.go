package main

/*
#include "root.h"
*/
import "C"

import (
	"context"
	"errors"
	"io/fs"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/vector"
)

// rootMeanings are the errors that callers of root.h tell apart.
var rootMeanings = []struct {
	is     error
	status status
}{
	{context.Canceled, C.SHALE_CANCELLED},
	{hnsw.ErrClosed, C.SHALE_CLOSED},
	{hnsw.ErrLabel, C.SHALE_NO_LABEL},
	{hnsw.ErrDeleted, C.SHALE_NO_LABEL},
	{hnsw.ErrNotDeleted, C.SHALE_NO_LABEL},
	{hnsw.ErrNotFinite, C.SHALE_VALUE},
	{hnsw.ErrTooLarge, C.SHALE_VALUE},
	{vector.ErrDim, C.SHALE_VALUE},
	{shale.ErrReadOnly, C.SHALE_READ_ONLY},
	{shale.ErrNotIndex, C.SHALE_DAMAGED},
	{shale.ErrChanged, C.SHALE_EXISTS},
	{shard.ErrMemory, C.SHALE_MEMORY},
	{fs.ErrNotExist, C.SHALE_NO_FILE},
	{fs.ErrExist, C.SHALE_EXISTS},
	{fs.ErrPermission, C.SHALE_DENIED},
}

// told gives an error the status that root.h has for it.
func told(err error) error {
	var own *statusError
	if err == nil || errors.As(err, &own) {
		return err
	}
	var short *eval.RecallError
	if errors.As(err, &short) {
		return &statusError{C.SHALE_RECALL, err.Error()}
	}
	for _, m := range rootMeanings {
		if errors.Is(err, m.is) {
			return &statusError{m.status, err.Error()}
		}
	}
	var damaged *format.Error
	if errors.As(err, &damaged) {
		return &statusError{C.SHALE_DAMAGED, err.Error()}
	}
	return &statusError{C.SHALE_ERROR, err.Error()}
}

// rootDo is do for root.h.
func rootDo(fn func() error) status { return do(func() error { return told(fn()) }) }

// rootPerform is perform for root.h.
func rootPerform(job *C.int64_t, fn func(context.Context) error) status {
	return perform(job, func(ctx context.Context) error { return told(fn(ctx)) })
}
