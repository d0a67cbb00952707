package workers

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// lower lowers the priority of the calling goroutine's thread, which is the goroutine's own from now on and ends with
// it. It is no error if that isn't allowed.
func lower(p Priority) {
	runtime.LockOSThread()
	thread := unix.Gettid()
	now, err := unix.Getpriority(unix.PRIO_PROCESS, thread) // 20 less the nice value
	if err == nil && 20-now < int(p) {
		_ = unix.Setpriority(unix.PRIO_PROCESS, thread, int(p))
	}
}
