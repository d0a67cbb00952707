package workers

import (
	"context"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBackground looks at the priority of threads. It is lower where work is in the background, and only there.
func TestBackground(t *testing.T) {
	priority := func(ctx context.Context) int {
		got := make(chan int)
		go func() {
			Begin(ctx)
			p, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
			if err != nil {
				t.Error(err)
			}
			got <- 20 - p // the kernel's answer is 20 less the nice value
		}()
		return <-got
	}
	before := priority(context.Background())
	for _, p := range []Priority{Low, BelowNormal} {
		if now, want := priority(InBackground(context.Background(), p)), max(before, int(p)); now != want {
			t.Errorf("the nice value in the background is %d, want %d", now, want)
		}
	}
	for range 100 {
		if now := priority(context.Background()); now != before {
			t.Fatalf("the nice value is %d later on, it was %d", now, before)
		}
	}
}
