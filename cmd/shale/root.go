package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

const about = `Shale finds the nearest vectors: it builds HNSW graph indexes from files of vectors,
searches them, and says how good and how fast the search is.

Vectors are read from .npy, .npz, .fvecs, .bvecs, .fbin, .u8bin, .i8bin and .parquet;
"file.npz:name" and "file.parquet:column" pick a member. "-" is standard input; it and pipes are read once,
and where neither the name's ending nor the first bytes tell the format it is named before, as in "fvecs:-".
INDEX is what "shale build" wrote, an hnswlib index.bin or an hnswlib-mmap .graph (then with --dim and
--metric), or hnswlib-mmap's directory of shards.

Results go to standard output, progress and messages to standard error.
Exit codes: 0 done, 1 failed or damaged, 2 wrong command line, 130 interrupted.`

const firstSteps = `  shale demo
  shale build --input vectors.npy --output my.index --metric cosine
  shale search my.index --queries queries.npy -k 5
  shale groundtruth --input vectors.npy --queries queries.npy --metric cosine --output truth.ivecs
  shale eval my.index --queries queries.npy --groundtruth truth.ivecs`

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "shale",
		Short:         "Find the nearest vectors",
		Long:          about,
		Example:       firstSteps,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          noCommand,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &usageError{c, err} })
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		buildCommand(), addCommand(), deleteCommand(), undeleteCommand(), resizeCommand(), searchCommand(),
		groundtruthCommand(), evalCommand(),
		tuneCommand(), inspectCommand(), verifyCommand(), convertCommand(), demoCommand(),
	)
	cobra.EnableCommandSorting = false
	for _, c := range root.Commands() {
		c.Args = usageArgs(c.Args)
		takeOnce(c)
		c.Flags().SortFlags = false // they are listed as they are declared: what must be given first
	}
	return root
}

// version is that of the module, as the Go tool recorded it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// noCommand tells what there is, and names what was meant where the first word is nearly a command.
func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	near := c.SuggestionsFor(args[0])
	if len(near) == 0 {
		return usagef(c, "there is no command %q", args[0])
	}
	return usagef(c, "there is no command %q; did you mean %s?", args[0], strings.Join(near, " or "))
}

// usageArgs makes what check finds an error of the command line.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if check == nil {
			check = cobra.NoArgs
		}
		if err := check(c, args); err != nil {
			return usagef(c, "%w", err)
		}
		return stdinOnce(c)
	}
}

// indexArg is the check of commands that take one index.
func indexArg(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name one INDEX, not %d", len(args))
	}
	return nil
}
