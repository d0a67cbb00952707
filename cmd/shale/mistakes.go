package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// otherCommandNames are names by which other programs call what a command does.
var otherCommandNames = map[string][]string{
	"build": {"create", "index", "make", "new", "train"}, "add": {"append", "insert", "update", "upsert"},
	"delete": {"remove", "rm", "drop"}, "undelete": {"restore"}, "resize": {"grow", "shrink"},
	"convert": {"export", "import", "save"}, "search": {"find", "knn", "nearest", "query"},
	"groundtruth": {"exact", "bruteforce", "truth"}, "eval": {"bench", "benchmark", "evaluate", "measure", "plot"},
	"tune": {"optimize", "optimise"}, "inspect": {"describe", "info", "show", "stat", "stats"},
	"verify": {"check", "fsck", "validate"}, "man": {"docs"},
}

// otherFlagNames are names by which other programs call what a flag says.
var otherFlagNames = map[string][]string{
	"k": {"count", "n", "neighbors", "neighbours", "top", "top-k", "topk"}, "metric": {"distance", "similarity", "space"},
	"input": {"base", "data", "file", "vectors"}, "output": {"index", "out"}, "queries": {"query"},
	"ef-construction": {"efc"}, "ef": {"ef-search"}, "threads": {"cpus", "jobs", "parallel", "workers"},
	"groundtruth": {"gt", "truth"}, "memory": {"mem", "ram"}, "replace": {"force", "overwrite"}, "capacity": {"size"},
}

// noCommand is run for a word that is no command: it lists the commands, and names those that may have been meant.
func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	return usagef(c, "there is no command %q%s", args[0], didYouMean(c.SuggestionsFor(args[0]), ""))
}

// didYouMean asks for one of the names, each with prefix before it. Without names it returns nothing.
func didYouMean(names []string, prefix string) string {
	if len(names) == 0 {
		return ""
	}
	const most = 3
	return "; did you mean " + prefix + strings.Join(names[:min(len(names), most)], " or "+prefix) + "?"
}

// flagError says in plain words what is wrong with a flag.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown):
		return noFlag(c, unknown)
	case errors.Is(err, errTwice) && errors.As(err, &invalid):
		return usagef(c, "--%s %w", invalid.GetFlag().Name, errTwice)
	case errors.As(err, &invalid):
		f, value := invalid.GetFlag(), invalid.GetValue()
		return usagef(c, "--%s %s is not %s%s", f.Name, value, kindOfValue(f), percentHint(value))
	case errors.As(err, &missing):
		return usagef(c, "--%s needs a value", missing.GetFlag().Name)
	}
	return &usageError{c, err}
}

// noFlag names the flags that may have been meant.
func noFlag(c *cobra.Command, e *pflag.NotExistError) error {
	if letters := e.GetSpecifiedShortnames(); letters != "" {
		name, _, _ := strings.Cut(letters, "=")
		if f := c.Flags().Lookup(name); f != nil {
			return usagef(c, "there is no flag -%s; did you mean --%s?", name, name)
		}
		return usagef(c, "there is no flag -%s%s", e.GetSpecifiedName(), didYouMean(flagsNear(c, name), "--"))
	}
	return usagef(c, "there is no flag --%s%s", e.GetSpecifiedName(), didYouMean(flagsNear(c, e.GetSpecifiedName()), "--"))
}

// flagsNear are the flags of c whose names are like name, by the rules that cobra has for commands. Of a short
// name every letter counts.
func flagsNear(c *cobra.Command, name string) []string {
	names := &cobra.Command{SuggestionsMinimumDistance: min(2, len(name)/3)}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		names.AddCommand(&cobra.Command{
			Use: f.Name, SuggestFor: otherFlagNames[f.Name], Run: func(*cobra.Command, []string) {},
		})
	})
	near := names.SuggestionsFor(name)
	if i := slices.IndexFunc(near, func(s string) bool { return strings.EqualFold(s, name) }); i >= 0 {
		return near[i : i+1]
	}
	return near
}

// kindOfValue says what the value of a flag must be.
func kindOfValue(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int":
		return "a whole number"
	case "uint64":
		return "a whole number of at least 0"
	case "float32", "float64":
		return "a number"
	case "duration":
		return "a time such as 30s or 5m"
	case "intSlice":
		return "a list of whole numbers such as 10,20,50"
	case "bool":
		return "true or false"
	}
	return "a " + f.Value.Type()
}

// percentHint asks whether a value with a percent sign was meant as a share.
func percentHint(value string) string {
	number, ok := strings.CutSuffix(value, "%")
	v, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil {
		return ""
	}
	return fmt.Sprintf("; did you mean %g?", v/100)
}

// shareHint asks whether a share above 1 was meant in percent.
func shareHint(v float64) string {
	if v > 1 && v <= 100 {
		return fmt.Sprintf("; did you mean %g?", v/100)
	}
	return ""
}
