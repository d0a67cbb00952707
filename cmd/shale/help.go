package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageTemplate is cobra's, with flags in groups.
const usageTemplate = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if eq .GroupID $group.ID}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{else}}

Commands:{{range $cmds}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{range flagGroups .}}

{{.}}{{end}}{{if .HasAvailableSubCommands}}

Use "{{.CommandPath}} COMMAND --help" for more about a command.{{end}}
`

func init() { cobra.AddTemplateFunc("flagGroups", groupsOfFlags) }

// flagGroup is flags that the help lists together.
type flagGroup struct {
	title string
	names []string
}

// flagGroups are the groups of a command with many flags, in order. Flags of no group come last.
var flagGroups = []flagGroup{
	{"Input and output", []string{
		"input", "labels", "label-column", "queries", "groundtruth", "filter", "output", "replace", "save", "plot", "json",
	}},
	{"Index", []string{
		"metric", "m", "ef-construction", "seed", "dim", "live", "external", "vectors", "global-labels",
	}},
	{"Search", []string{
		"recall", "k", "radius", "limit", "ef", "max-ef", "sample", "batch", "rerank", "slack", "probes", "share",
	}},
	{"Codes and rows", []string{
		"codes", "rows", "storage", "keep", "pq-bits", "pq-subvectors", "opq", "pq-codes", "pq-codebooks",
	}},
	{"Documents", []string{
		"near", "like", "vector", "offset", "max-distance", "group-by", "group-size", "exact", "with-vectors",
		"without-payload", "include", "exclude", "id-column", "vector-column", "text-column", "ids", "payload", "index",
		"strict", "restart",
	}},
	{"Memory and shards", []string{
		"memory", "plan", "shards", "copies", "centroids", "blocks", "mmap", "pin-upper", "resident",
	}},
}

const (
	otherFlags   = "Other flags"
	manyFlags    = 10 // that a command lists in one piece
	leastColumns = 60 // of the help
	mostColumns  = 110
)

// groupsOfFlags are the flags of c, one text a group.
func groupsOfFlags(c *cobra.Command) []string {
	all := c.LocalFlags()
	n := 0
	all.VisitAll(func(*pflag.Flag) { n++ })
	if n <= manyFlags {
		return []string{flagsText(c, "Flags", all)}
	}
	var texts []string
	for _, g := range append(slices.Clone(flagGroups), flagGroup{title: otherFlags}) {
		some := pflag.NewFlagSet(g.title, pflag.ContinueOnError)
		some.SortFlags = false
		all.VisitAll(func(f *pflag.Flag) {
			if groupOf(f.Name) == g.title {
				some.AddFlag(f)
			}
		})
		if some.HasAvailableFlags() {
			texts = append(texts, flagsText(c, g.title, some))
		}
	}
	return texts
}

func groupOf(name string) string {
	for _, g := range flagGroups {
		if slices.Contains(g.names, name) {
			return g.title
		}
	}
	return otherFlags
}

func flagsText(c *cobra.Command, title string, flags *pflag.FlagSet) string {
	return title + ":\n" + strings.TrimRight(flags.FlagUsagesWrapped(columns(c.OutOrStdout())), "\n")
}

// columns is the width of the help.
func columns(w io.Writer) int {
	return min(max(terminalColumns(w, mostColumns), leastColumns), mostColumns)
}

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Explain a command",
		Long:    "Help prints what a command does, its flags, and examples; without COMMAND it lists the commands.",
		Example: "  shale help build",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil {
				return usagef(c, "%w", err)
			}
			if len(rest) > 0 {
				return noCommand(about, rest)
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// flagValues are the values that shells offer for flags.
var flagValues = map[string][]string{
	"metric":  {"l2", "ip", "cosine"},
	"codes":   {"auto", "fp32", "fp16", "rabitq1", "rabitq2", "rabitq3", "rabitq4", "rabitq8", "sq4", "sq8", "pq"},
	"rows":    {"auto", "fp32", "fp16", "sq8", "none"},
	"to":      {"shale", "hnswlib", "graph", "fork-shards"},
	"pq-bits": {"4", "8"},
}

// completeValues lets shells complete the values of a command's flags.
func completeValues(c *cobra.Command) {
	for name, values := range flagValues {
		if c.Flags().Lookup(name) == nil {
			continue
		}
		offer := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
		if err := c.RegisterFlagCompletionFunc(name, offer); err != nil {
			panic(err) // the flag is there
		}
	}
}
