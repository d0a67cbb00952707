package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

const about = `Shale finds the nearest vectors: it builds HNSW graph indexes from files of vectors,
searches them, and measures how good and how fast the searches are.

Vectors are read from .npy, .npz, .fvecs, .bvecs, .fbin, .u8bin, .i8bin and .parquet files;
"file.npz:name" and "file.parquet:column" select a member. "-" is standard input. Standard input
and pipes are read once; where neither the name nor the first bytes show the format, put it before
the name, as in "fvecs:-".

INDEX is the output of "shale build", an hnswlib index.bin or an hnswlib-mmap .graph (both need
--metric), or a directory of hnswlib-mmap shards.

Results go to standard output, progress and messages to standard error.
Exit codes: 0 success, 1 failure or a damaged index, 2 wrong command line, 130 interrupted.`

const firstSteps = `  shale demo
  shale build --input vectors.npy --output my.index --metric cosine
  shale search my.index --queries queries.npy -k 5
  shale groundtruth --input vectors.npy --queries queries.npy --metric cosine --output truth.ivecs
  shale eval my.index --queries queries.npy --groundtruth truth.ivecs`

// commandGroups are the commands as the help lists them.
var commandGroups = []struct {
	title    string
	commands func() []*cobra.Command
}{
	{"Make and change an index:", func() []*cobra.Command {
		return []*cobra.Command{
			buildCommand(), addCommand(), deleteCommand(), undeleteCommand(), resizeCommand(), convertCommand(),
		}
	}},
	{"Keep documents:", func() []*cobra.Command { return []*cobra.Command{collectionCommand()} }},
	{"Search and measure:", func() []*cobra.Command {
		return []*cobra.Command{searchCommand(), groundtruthCommand(), evalCommand(), tuneCommand()}
	}},
	{"Examine an index:", func() []*cobra.Command {
		return []*cobra.Command{inspectCommand(), verifyCommand()}
	}},
	{"Learn and install:", func() []*cobra.Command {
		return []*cobra.Command{demoCommand(), manCommand(), versionCommand()}
	}},
}

func newRoot() *cobra.Command {
	cobra.EnableCommandSorting = false
	root := &cobra.Command{
		Use:           "shale",
		Short:         "Find the nearest vectors",
		Long:          about,
		Example:       firstSteps,
		Version:       thisBuild().Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          noCommand,

		SuggestionsMinimumDistance: 2,
	}
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpCommand(helpCommand())
	last := ""
	for _, g := range commandGroups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, c := range g.commands() {
			c.GroupID = g.title
			root.AddCommand(c)
		}
		last = g.title
	}
	root.SetHelpCommandGroupID(last)
	root.SetCompletionCommandGroupID(last)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	finish(root)
	return root
}

// finish gives the commands below c what all of them have.
func finish(c *cobra.Command) {
	for _, c := range c.Commands() {
		if c.HasSubCommands() {
			c.Args, c.RunE = cobra.ArbitraryArgs, noCommand
		}
		c.Args = usageArgs(c.Args)
		c.SuggestFor = otherCommandNames[c.Name()]
		c.Flags().SortFlags = false // they are listed as they are declared: what must be given first
		takeOnce(c)
		completeValues(c)
		finish(c)
	}
}

// usageArgs makes what check finds an error of the command line. Without a check the command takes no arguments.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if check == nil && len(args) > 0 {
			hint := ""
			if c.Flags().Lookup("input") != nil {
				hint = "; did you mean --input " + args[0] + "?"
			}
			return usagef(c, "%s takes flags only, not the argument %q%s", c.CommandPath(), args[0], hint)
		}
		if check != nil {
			if err := check(c, args); err != nil {
				return usagef(c, "%w", err)
			}
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
