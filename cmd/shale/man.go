package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/vfs"
)

func manCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "man --output DIR",
		Short: "Write the manual pages",
		Long: `Man writes a manual page for each command to a directory, which is made if it doesn't exist:
shale.1, shale-build.1 and so on.`,
		Example: "  shale man --output ~/.local/share/man/man1",
	}
	c.Flags().StringVar(&output, "output", "", "write the pages to `DIR`")
	required(c, "output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := vfs.MkdirAll(output, 0o755); err != nil {
			return fmt.Errorf("manual pages: %w", err)
		}
		n, err := writePages(c.Root(), output)
		if err != nil {
			return fmt.Errorf("manual pages: %w", err)
		}
		return tell(c, false, nil, "%s: %s", output, many(n, "page"))
	}
	return c
}

// writePages writes the pages of c and of the commands below it, and returns their number.
func writePages(c *cobra.Command, dir string) (int, error) {
	b := thisBuild()
	header := &doc.GenManHeader{Source: "shale " + b.Version, Manual: "Shale"}
	if t, ok := b.date(); ok {
		header.Date = &t
	}
	c.DisableAutoGenTag = true
	path := filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
	if err := atomicfile.Write(path, func(w io.Writer) error { return doc.GenMan(c, header, w) }); err != nil {
		return 0, err
	}
	n := 1
	for _, below := range c.Commands() {
		if !below.IsAvailableCommand() {
			continue
		}
		more, err := writePages(below, dir)
		if err != nil {
			return n, err
		}
		n += more
	}
	return n, nil
}
