package workers

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// niceness is the nice value of threads that work in the background.
const niceness = 10

// lower lowers the priority of the calling goroutine's thread, which is the goroutine's own from now on and ends with
// it. It is no error if that isn't allowed.
func lower() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), niceness)
}
