package main

/*
#include "shale.h"
*/
import "C"

import (
	"context"
	"time"
)

// job is a function that runs in the background.
type job struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done is closed
}

// perform runs fn in the calling thread or, where handle isn't NULL, begins it as a job.
func perform(handle *C.int64_t, fn func(context.Context) error) status {
	if handle == nil {
		return do(func() error { return fn(context.Background()) })
	}
	ctx, cancel := context.WithCancel(context.Background())
	j := &job{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(j.done)
		j.err = safely(func() error { return fn(ctx) })
	}()
	*handle = table.add(j)
	return C.SHALE_OK
}

//export goWait
func goWait(handle, milliseconds C.int64_t) status {
	j, err := object[*job](handle)
	if err != nil {
		return answer(err)
	}
	timeout := time.NewTimer(time.Duration(milliseconds) * time.Millisecond)
	defer timeout.Stop()
	select {
	case <-timeout.C:
		return C.SHALE_RUNNING
	case <-j.done:
	}
	j.cancel()
	table.take(handle)
	return answer(j.err)
}

//export goCancel
func goCancel(handle C.int64_t) status {
	j, err := object[*job](handle)
	if err != nil {
		return answer(err)
	}
	j.cancel()
	return C.SHALE_OK
}
