package workers

import "context"

type background struct{}

// InBackground returns a context for work that nobody waits for. Goroutines that call Begin with it let others go
// first.
func InBackground(ctx context.Context) context.Context {
	return context.WithValue(ctx, background{}, true)
}

// Begin is called by a goroutine that works for ctx until it ends. If that is in the background, the goroutine keeps a
// thread of a lower priority for itself: where there are fewer processors than threads with work, the kernel runs the
// others first. This needs GOMAXPROCS to be larger than the number of goroutines in the background.
func Begin(ctx context.Context) {
	if ctx.Value(background{}) != nil {
		lower()
	}
}
