package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/internal/location"
)

// waitFlag says how long a command waits for another one that is changing the same index, or for a live file.
type waitFlag struct{ limit time.Duration }

func (f *waitFlag) add(c *cobra.Command) {
	c.Flags().DurationVar(&f.limit, "wait", 30*time.Second,
		"wait up to `TIME` while another process changes the index, or has a live file open; 0: not at all")
}

func (f *waitFlag) check(c *cobra.Command) error {
	if f.limit < 0 {
		return usagef(c, "--wait is %v, not at least 0", f.limit)
	}
	return nil
}

// options are those of a lock of the index at path, with a message before waiting.
func (f *waitFlag) options(c *cobra.Command, path string) location.LockOptions {
	o := location.LockOptions{Wait: f.limit, Waiting: func() { tellWaiting(c.ErrOrStderr(), path, f.limit) }}
	if f.limit == 0 {
		o.Wait = -1
	}
	return o
}

func tellWaiting(w io.Writer, path string, limit time.Duration) {
	fmt.Fprintf(w, "%s: another process is changing it or, if it is a live file, has it open: waiting up to %v (--wait)\n",
		path, limit)
}
