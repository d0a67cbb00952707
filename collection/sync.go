package collection

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// syncing is what Options.SyncWindow needs.
type syncing struct {
	wanted atomic.Bool   // a change may be in memory alone
	syncs  atomic.Uint64 // done so far
}

// applyChange applies a batch to the store, without waiting for the disk.
func (c *Collection) applyChange(b *pebble.Batch) error {
	if c.options.SyncWindow == 0 {
		return c.db.ApplyNoSyncWait(b, pebble.Sync)
	}
	if err := c.db.Apply(b, pebble.NoSync); err != nil {
		return err
	}
	c.syncing.wanted.Store(true)
	return nil
}

// awaitSync waits until a batch that applyChange has applied is on the disk, unless that may happen later.
func (c *Collection) awaitSync(b *pebble.Batch) error {
	if c.options.SyncWindow == 0 {
		return b.SyncWait()
	}
	return nil
}

// syncNowAndThen syncs changes that nobody waits for. Closing the store syncs the last ones.
func (c *Collection) syncNowAndThen(ctx context.Context) {
	// Half of the window is left for the sync.
	ticks := time.NewTicker(max(c.options.SyncWindow/2, time.Millisecond))
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if c.syncing.wanted.Swap(false) {
			// The sync of any record is that of all before it. Pebble ends the process if it can't write its log.
			if err := c.db.LogData([]byte{0}, pebble.Sync); err != nil {
				c.syncing.wanted.Store(true)
				continue
			}
			c.syncing.syncs.Add(1)
		}
	}
}
