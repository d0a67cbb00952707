package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/shale-search/shale/internal/machine"
	"github.com/shale-search/shale/internal/race"
)

// mainPeak runs main and then prints the peak of its resident memory, in MiB, to standard error. It leaves out the code
// and the constants of the program, which are pages of its file: the system maps them by the dozen around each
// that is used, shares them among processes, and drops them when memory is short.
func mainPeak() {
	code := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)
	program, err := programResident()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "peak %d MiB\n", (machine.PeakResident()-program)>>20)
	os.Exit(code)
}

// programResident returns the resident bytes of the program's file that aren't changed. It returns 0 where the system
// doesn't report them.
func programResident() (bytes int64, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	counted := false
	for line := range strings.Lines(string(maps)) {
		fields := strings.Fields(line)
		if !strings.HasSuffix(fields[0], ":") { // the first line of a mapping: addresses, permissions, ..., path
			counted = fields[len(fields)-1] == program && !strings.Contains(fields[1], "w")
		}
		if fields[0] == "Rss:" && counted {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return 0, err
			}
			bytes += kib << 10
		}
	}
	return bytes, nil
}

// peak MIB checks the peak resident memory of the last shale-peak. It compares nothing if the system doesn't report the
// peak, or if the race detector takes memory.
func peak(ts *testscript.TestScript, _ bool, args []string) {
	_, text, ok := strings.Cut(ts.ReadFile("stderr"), "peak ")
	if !ok {
		ts.Fatalf("no peak was told")
	}
	had := number(ts, strings.Fields(text)[0])
	if most := number(ts, args[0]); had > most && !race.Enabled {
		ts.Fatalf("%d MiB were resident, %d are allowed", had, most)
	}
}
