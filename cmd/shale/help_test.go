package main

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestFlagsHaveGroups compares the groups of the help with the flags that there are.
func TestFlagsHaveGroups(t *testing.T) {
	ungrouped := []string{"threads", "wait", "help"}
	there := map[string]bool{}
	for _, c := range allCommands(newRoot()) {
		grouped := len(groupsOfFlags(c)) > 1
		c.Flags().VisitAll(func(f *pflag.Flag) {
			there[f.Name] = true
			if grouped && groupOf(f.Name) == otherFlags && !slices.Contains(ungrouped, f.Name) {
				t.Errorf("%s --%s is in no group", c.Name(), f.Name)
			}
		})
	}
	for _, g := range flagGroups {
		for _, name := range g.names {
			if !there[name] {
				t.Errorf("no command has the flag --%s of the group %q", name, g.title)
			}
		}
	}
	for name := range otherFlagNames {
		if !there[name] {
			t.Errorf("no command has the flag --%s, for which other names are known", name)
		}
	}
	for name := range flagValues {
		if !there[name] {
			t.Errorf("no command has the flag --%s, for which values are known", name)
		}
	}
}

// allCommands returns the commands below c, and those below them.
func allCommands(c *cobra.Command) (all []*cobra.Command) {
	for _, below := range c.Commands() {
		all = append(append(all, below), allCommands(below)...)
	}
	return all
}

// TestOtherCommandNames checks that each suggests a command that exists.
func TestOtherCommandNames(t *testing.T) {
	root := newRoot()
	for name, others := range otherCommandNames {
		for _, other := range others {
			if !slices.Contains(root.SuggestionsFor(other), name) {
				t.Errorf("%q doesn't suggest %s", other, name)
			}
		}
	}
}
