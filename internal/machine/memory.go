package machine

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// Resident returns the memory that the process has resident, in bytes, or 0 where the system doesn't report it.
func Resident() int64 { return statusBytes("VmRSS:") }

// PeakResident returns the most memory that the process has had resident, in bytes, or 0 where the system doesn't
// report it.
func PeakResident() int64 { return statusBytes("VmHWM:") }

// statusBytes returns the size that /proc/self/status gives under name, in bytes, or 0 if there is none.
func statusBytes(name string) int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), name); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
