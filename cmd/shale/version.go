package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

// buildInfo describes the build of this program, as the Go tool recorded it.
type buildInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of the source; empty where it isn't known
	Time     string `json:"time"`     // of the revision
	Modified bool   `json:"modified"` // whether the source differed from the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() buildInfo {
	b := buildInfo{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (b buildInfo) String() string {
	s := "shale " + b.Version
	if b.Revision != "" {
		s += "\nrevision  " + b.Revision
		if b.Modified {
			s += ", modified"
		}
		s += "\ntime      " + b.Time
	}
	return s + fmt.Sprintf("\ngo        %s, %s\n", b.Go, b.Platform)
}

// date is the time of the revision. It reports false where that isn't known.
func (b buildInfo) date() (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, b.Time)
	return t, err == nil
}

func versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Long:    "Version prints the version of the program, the revision of its source, the Go version and the platform.",
		Example: "  shale version\n  shale version --json",
		RunE: func(c *cobra.Command, _ []string) error {
			if asJSON {
				return printJSON(c.OutOrStdout(), thisBuild())
			}
			_, err := fmt.Fprint(c.OutOrStdout(), thisBuild())
			return err
		},
	}
	jsonFlag(c, &asJSON)
	return c
}
