package collection

import "context"

// Mark is a note of a program about how far it has come, kept together with what it has written. A collection keeps any
// number of them, by their names, and gives them no meaning.
type Mark struct {
	Name  string
	Value []byte // nil removes the mark
}

const (
	mostMarkName  = 255
	mostMarkBytes = 64 << 10
)

// UpsertMarked is Upsert, which also sets a mark: both are done or neither is. The batch may be empty.
func (c *Collection) UpsertMarked(ctx context.Context, batch []Document, m Mark) error {
	if m.Name == "" || len(m.Name) > mostMarkName || len(m.Value) > mostMarkBytes {
		return invalidf("a mark has a name of 1 to %d bytes and a value of at most %d bytes", mostMarkName, mostMarkBytes)
	}
	documents, err := c.prepare(batch)
	if err != nil {
		return err
	}
	_, err = c.change(ctx, len(documents)+1, func(ch *change) error {
		if err := ch.mark(m); err != nil {
			return err
		}
		return ch.upsert(documents)
	})
	return err
}

func (ch *change) mark(m Mark) error {
	if m.Value == nil {
		return ch.batch.Delete(keyOfMark(m.Name), nil)
	}
	return ch.batch.Set(keyOfMark(m.Name), m.Value, nil)
}

// Mark returns the value of a mark, or nil if there is none.
func (c *Collection) Mark(name string) ([]byte, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.leave()
	return get(c.db, keyOfMark(name))
}

func keyOfMark(name string) []byte { return append([]byte{markKey}, name...) }
