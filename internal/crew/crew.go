// Package crew shares work among goroutines of which the caller is one. A goroutine needs tens of microseconds to come to
// another processor, in which a few queries are answered: so the caller begins at once and doesn't wait for those that have
// not come when nothing is left to do.
package crew

import "sync"

// Run calls work(of) in the caller's goroutine and in up to n-1 others, and returns when all calls that began have ended. Each
// call takes its share from the others until none is left, so that one that begins late finds nothing to do; it is left out.
// With n of 1 nothing is allocated for a function that captures nothing.
func Run[T any](n int, of T, work func(T)) {
	if n <= 1 {
		work(of)
		return
	}
	c := new(crew)
	for range n - 1 {
		go c.help(func() { work(of) })
	}
	defer c.finish()
	work(of)
}

type crew struct {
	mu      sync.Mutex
	over    bool // the caller's call has ended: no other may begin
	helpers sync.WaitGroup
}

func (c *crew) help(work func()) {
	if !c.join() {
		return
	}
	defer c.helpers.Done()
	work()
}

func (c *crew) join() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.helpers.Add(1)
	return true
}

func (c *crew) finish() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.helpers.Wait()
}
