package eval

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/shale-search/shale/internal/simd"
)

// Machine is where a measurement was taken.
type Machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"` // that the process may use
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Go    string `json:"go"`
	SIMD  string `json:"simd"` // the kernels in use
}

// ThisMachine describes the machine that the program runs on.
func ThisMachine() Machine {
	return Machine{
		CPU: cpuName(), Cores: runtime.GOMAXPROCS(0), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Go: runtime.Version(), SIMD: simd.Active.Name,
	}
}

func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s/%s, %s, %s kernels", m.CPU, m.Cores, m.OS, m.Arch, m.Go, m.SIMD)
}

// cpuName is the processor's name, as far as the system tells it.
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
