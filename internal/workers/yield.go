package workers

import (
	"runtime"
	"time"
)

// yieldAfter is how long a goroutine works before it lets others run. That takes a microsecond, but some ten where the
// goroutine keeps a thread for itself, as in the background.
const yieldAfter = 500 * time.Microsecond

// Yield lets other goroutines run now and then while one works for long: they would else wait for the 10 ms that the
// scheduler gives it, if there are no more processors than such goroutines. The zero value is ready for use.
type Yield struct{ last time.Time }

// Now is called between steps of work that take much less time than a search does.
func (y *Yield) Now() {
	if now := time.Now(); now.Sub(y.last) >= yieldAfter {
		runtime.Gosched()
		y.last = time.Now()
	}
}
