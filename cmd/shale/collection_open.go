package main

import (
	"errors"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

// openFlags say how a command opens a collection.
type openFlags struct {
	wait   waitFlag
	memory string

	imports bool // the command writes much and then merges, with all processors
}

func (f *openFlags) add(c *cobra.Command) {
	f.wait.add(c)
	c.Flags().StringVar(&f.memory, "memory", "",
		"take at most `SIZE` of memory, 256MiB or more, mapped files apart; merging has no bound without it")
}

// options are those to open the collection in dir with.
func (f *openFlags) options(c *cobra.Command, dir string) (o collection.Options, err error) {
	if err := f.wait.check(c); err != nil {
		return o, err
	}
	if o.Memory, err = parseSize(c, "memory", f.memory); err != nil {
		return o, err
	}
	if f.imports {
		o.DeferMerges, o.MergeThreads = true, runtime.GOMAXPROCS(0)
	}
	o.Wait, o.Waiting = f.wait.limit, f.wait.options(c, dir).Waiting
	return o, nil
}

// withCollection opens a collection for a command, and closes it.
func withCollection(c *cobra.Command, f *openFlags, dir string, do func(*collection.Collection) error) error {
	o, err := f.options(c, dir)
	if err != nil {
		return err
	}
	x, err := collection.Open(c.Context(), dir, o)
	if err != nil {
		return err
	}
	return errors.Join(do(x), x.Close())
}
