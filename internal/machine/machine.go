// Package machine describes the computer that a measurement was taken on.
package machine

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/shale-search/shale/internal/simd"
)

// Machine describes a computer and the Go program on it.
type Machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"` // CPUs that the process may use
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Go    string `json:"go"`
	SIMD  string `json:"simd"` // instruction set of the kernels in use
}

// This describes the machine that the program runs on.
func This() Machine {
	return Machine{
		CPU: cpuName(), Cores: runtime.GOMAXPROCS(0), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Go: runtime.Version(), SIMD: simd.Active.Name,
	}
}

func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s/%s, %s, %s kernels", m.CPU, m.Cores, m.OS, m.Arch, m.Go, m.SIMD)
}

// cpuName returns the processor's model name, or "unknown CPU" if the system doesn't say.
func cpuName() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}
