// Package workers shares work among goroutines of which the caller is one. A new goroutine takes tens of microseconds
// to start on another processor, enough to answer a few queries. So the caller begins at once, and doesn't wait for
// goroutines that haven't started when the work is done.
package workers

import "sync"

// Run calls work(of) in the caller's goroutine and in up to n-1 others, and returns when all calls that began have
// ended. Each call takes its share of the work from the others until none is left. A goroutine that starts after that
// is left out. With n of 1 Run allocates nothing for a function that captures nothing.
func Run[T any](n int, of T, work func(T)) {
	if n <= 1 {
		work(of)
		return
	}
	c := new(group)
	for range n - 1 {
		go c.help(func() { work(of) })
	}
	defer c.finish()
	work(of)
}

type group struct {
	mu      sync.Mutex
	over    bool // the caller's own call has ended: no other may begin
	helpers sync.WaitGroup
}

func (c *group) help(work func()) {
	if !c.join() {
		return
	}
	defer c.helpers.Done()
	work()
}

func (c *group) join() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.helpers.Add(1)
	return true
}

func (c *group) finish() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.helpers.Wait()
}
