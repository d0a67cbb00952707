// Package stop has the rules by which a walk ends that isn't a search for k neighbours.
package stop

// Rule is a search.Stop: a condition that users of that package can't see.
type Rule struct{ condition Condition }

// Of returns the rule of a condition.
func Of(c Condition) *Rule { return &Rule{c} }

// Condition returns the rule's condition, or nil if it has none.
func (r *Rule) Condition() Condition { return r.condition }

// Condition decides which candidates a walk follows, which results it holds and when it ends. One value serves one
// search at a time.
type Condition interface {
	// Begin is called at the start of a search whose options ask for ef candidates. It returns the number of
	// results that the walk has to meet before it ends, if that is more than ef: by it the index chooses between a walk
	// and computing all distances.
	Begin(ef int) (least int)
	// Stop reports whether to end: nearest is the distance of the nearest candidate not yet expanded, worst that of the
	// farthest result, +Inf while there is none.
	Stop(nearest, worst float32) bool
	// Consider reports whether a candidate at distance d is to be expanded later, and held if it may be returned.
	Consider(d, worst float32) bool
	// Add and Remove are called when a result is held from now on, and no longer.
	Add(label uint64, d float32)
	Remove(label uint64, d float32)
	// Overfull reports whether the farthest result is to be dropped.
	Overfull() bool
	// Finish is called when the walk has ended, before Keeps.
	Finish()
	// Keeps reports whether the search returns a result. It is called with all that are held, nearest first.
	Keeps(label uint64, d float32) bool
}
