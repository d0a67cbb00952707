package heap

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestHeapGivesSmallestFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Heap[uint64]
		var model []uint64
		for _, v := range rapid.SliceOf(rapid.Uint64Range(0, 1000)).Draw(t, "keys") {
			if v%3 == 0 && len(model) > 0 {
				if got := h.Pop(); got != model[0] {
					t.Fatalf("pop gave %d, want %d", got, model[0])
				}
				model = model[1:]
				continue
			}
			h.Push(v)
			model = append(model, v)
			slices.Sort(model)
		}
		for _, want := range model {
			if got := h.Pop(); got != want {
				t.Fatalf("pop gave %d, want %d", got, want)
			}
		}
	})
}
