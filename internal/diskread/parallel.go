package diskread

import (
	"errors"
	"io"
	"os"
)

// workers is the number of goroutines that read at a time if the kernel has no ring.
const workers = 32

// parallel is a backend of goroutines that block.
type parallel struct {
	jobs chan job
	done chan result
}

type job struct {
	slot   uint32
	f      *os.File
	b      []byte
	offset int64
}

func newParallel(depth int) *parallel {
	p := &parallel{jobs: make(chan job, depth), done: make(chan result, depth)}
	for range min(depth, workers) {
		go p.work()
	}
	return p
}

func (p *parallel) work() {
	for j := range p.jobs {
		n, err := j.f.ReadAt(j.b, j.offset)
		if errors.Is(err, io.EOF) {
			err = nil // the last block may be shorter
		}
		p.done <- result{j.slot, n, err}
	}
}

func (p *parallel) start(slot uint32, f *os.File, b []byte, offset int64) error {
	p.jobs <- job{slot, f, b, offset}
	return nil
}

func (p *parallel) submit() error { return nil }

func (p *parallel) wait(dst []result) ([]result, error) {
	dst = append(dst, <-p.done)
	for {
		select {
		case d := <-p.done:
			dst = append(dst, d)
		default:
			return dst, nil
		}
	}
}

func (p *parallel) close() error {
	close(p.jobs)
	return nil
}
