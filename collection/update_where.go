package collection

import "context"

// UpdateWhere makes the same change, whose ID doesn't count, to the documents that satisfy a filter when it is called,
// except for those that are overwritten meanwhile. It returns how many it has changed. It does so batch by batch, each
// of which is changed whole or not at all and is on the disk before the next one, so that an error may leave some of
// them as they were.
func (c *Collection) UpdateWhere(ctx context.Context, filter Filter, u Update) (updated int, err error) {
	u.ID = ID{}
	prepared, err := c.prepareUpdates([]Update{u})
	if err != nil {
		return 0, err
	}
	return c.changeWhere(ctx, filter, func(batch []uint64) (there int, err error) {
		_, err = c.change(ctx, len(batch), func(ch *change) (err error) {
			there, err = ch.updateNumbers(batch, prepared[0])
			return err
		})
		if err != nil {
			return 0, err
		}
		return there, nil
	})
}

// updateNumbers changes the documents of some numbers that are still there.
func (ch *change) updateNumbers(numbers []uint64, u preparedUpdate) (int, error) {
	ids, err := ch.idsOf(numbers)
	if err != nil {
		return 0, err
	}
	updates := make([]preparedUpdate, len(ids))
	for i, id := range ids {
		updates[i] = u
		updates[i].ID, updates[i].at = id, i
	}
	return ch.update(updates)
}
