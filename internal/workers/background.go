package workers

import "context"

type background struct{}

// Priority is that of threads that work in the background, as a nice value.
type Priority int

const (
	// Low is the priority of work that may take long.
	Low Priority = 10
	// BelowNormal is that of work that makes other work cheaper, and should be done before what is Low.
	BelowNormal Priority = 5
)

// InBackground returns a context for work that nobody waits for. Goroutines that call Begin with it let others go
// first.
func InBackground(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, background{}, p)
}

// Begin is called by a goroutine that works for ctx until it ends. If that is in the background, the goroutine keeps a
// thread of a lower priority for itself: where there are fewer processors than threads with work, the kernel runs the
// others first. This needs GOMAXPROCS to be larger than the number of goroutines in the background.
func Begin(ctx context.Context) {
	if p, ok := ctx.Value(background{}).(Priority); ok {
		lower(p)
	}
}
