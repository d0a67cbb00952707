package atomicfile

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
)

// TestManyTogether makes directories beside each other from several goroutines: none takes what another is writing for
// left over.
func TestManyTogether(t *testing.T) {
	dir := t.TempDir()
	var makers sync.WaitGroup
	for m := range 4 {
		makers.Go(func() {
			for i := range 200 {
				name := filepath.Join(dir, fmt.Sprint(m, "-", i))
				if err := Dir(name, false, func(string) error { return nil }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	makers.Wait()
}
