package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/shale-search/shale/internal/machine"
)

// latency is times of searches, in milliseconds.
type latency struct {
	Searches int     `json:"searches"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Most     float64 `json:"max_ms"`
}

func latencyOf(times []time.Duration) latency {
	if len(times) == 0 {
		return latency{}
	}
	slices.Sort(times)
	at := func(share float64) float64 {
		return float64(times[min(len(times)-1, int(share*float64(len(times))))]) / float64(time.Millisecond)
	}
	return latency{len(times), at(0.5), at(0.99), at(1)}
}

// diskBytes returns the sizes of the files under dir that there are.
func diskBytes(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil { // it was removed meanwhile
			return nil
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}

func (x *experiment) describe(r *report) error {
	info, err := x.c.Info()
	r.Documents, r.Segments = info.Documents, len(info.Segments)
	r.PeakMiB = float64(machine.PeakResident()) / (1 << 20)
	r.DiskMiB = float64(diskBytes(x.s.dir)) / (1 << 20)
	if info.Problem != "" {
		err = errors.Join(err, errors.New(info.Problem))
	}
	return err
}
