package collection

import (
	"testing"
	"time"

	"github.com/shale-search/shale/internal/vfs/crashfs"
	"github.com/shale-search/shale/vector"
)

// TestSyncWindow writes without waiting for the disk: changes are synced soon, and a copy of the files has them. They
// are there after closing.
func TestSyncWindow(t *testing.T) {
	c := created(t, plain(vector.L2), Options{SyncWindow: 10 * time.Millisecond})
	mustUpsert(t, c, document(NumberID(1), 1, 1, 2, 3, 4))
	eventually(t, "the change is synced", func() bool { return c.syncing.syncs.Load() > 0 })
	dir := t.TempDir() + "/copy"
	if err := crashfs.Copy(c.dir, dir); err != nil {
		t.Fatal(err)
	}
	killed := opened(t, dir, Options{})
	if got := mustGet(t, killed, NumberID(1)); len(got) != 1 {
		t.Errorf("after it was synced %d documents are there", len(got))
	}
	mustUpsert(t, c, document(NumberID(2), 2, 1, 2, 3, 4))
	c = reopened(t, c)
	if got := mustGet(t, c, NumberID(1), NumberID(2)); len(got) != 2 {
		t.Errorf("after closing %d documents are there", len(got))
	}
	verified(t, c, 2)
}
