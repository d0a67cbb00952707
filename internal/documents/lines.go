package documents

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/jsonobject"
)

// lines reads JSON lines.
type lines struct {
	in   *input
	r    *bufio.Reader
	o    Options
	m    *mapping // nil: each line is a document as the collection writes it
	line int
	text []byte // of the line
	over bool
}

func openLines(name string, o Options) (Reader, error) {
	in, err := openInput(name)
	if err != nil {
		return nil, err
	}
	l := &lines{in: in, r: withoutMark(in), o: o}
	if o.columns() {
		if l.m, err = newMapping(o, nil); err != nil {
			return nil, errors.Join(err, in.Close())
		}
	}
	return l, nil
}

func (l *lines) Row() int           { return l.line }
func (l *lines) Done() float64      { return l.in.done() }
func (l *lines) Close() error       { return l.in.Close() }
func (l *lines) Skip(row int) error { return l.skipTo(row) }

// skipTo passes over lines without reading what they hold.
func (l *lines) skipTo(row int) error {
	for l.line < row {
		if err := l.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil && !errors.As(err, new(*RowError)) {
			return err
		}
	}
	return nil
}

// next reads the next line that isn't blank.
func (l *lines) next() error {
	for !l.over {
		l.line++
		if err := l.readLine(); err != nil {
			return err
		}
		if l.text = bytes.TrimSpace(l.text); len(l.text) > 0 {
			return nil
		}
	}
	return io.EOF
}

// readLine reads up to the line's end. Of a line that is too long it keeps nothing.
func (l *lines) readLine() error {
	l.text = l.text[:0]
	long := false
	for {
		l.in.beginRow()
		part, err := l.r.ReadSlice('\n')
		if l.text = append(l.text, part...); len(l.text) > mostRowBytes {
			long, l.text = true, l.text[:0]
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			l.over = true
		case err != nil:
			return fmt.Errorf("%s: line %d: %w", l.in.name, l.line, err)
		}
		if long {
			return &RowError{l.line, errLongRow}
		}
		return nil
	}
}

func (l *lines) Next() (d collection.Document, err error) {
	if err := l.next(); err != nil {
		return d, err
	}
	if l.m == nil {
		err = json.Unmarshal(l.text, &d)
		if err != nil && strings.Contains(err.Error(), "unknown field") {
			err = fmt.Errorf("%w: a document has \"id\", \"vector\" or \"vectors\", and \"payload\"; "+
				"of lines with other keys name that of the ID (--id-column), and the others become the payload", err)
		}
	} else {
		d, err = l.m.object(l.text)
	}
	if err != nil {
		return d, &RowError{l.line, err}
	}
	return d, nil
}

// object makes a document of a JSON object whose keys are columns.
func (m *mapping) object(text []byte) (d collection.Document, err error) {
	if !utf8.Valid(text) {
		return d, errors.New("it isn't valid UTF-8")
	}
	members, err := jsonobject.Members(text)
	if err != nil {
		return d, err
	}
	payload := members[:0]
	found := false
	for _, x := range members {
		vector, isVector := m.vectors[x.Key]
		switch {
		case x.Key == m.id:
			found = true
			err = d.ID.UnmarshalJSON(x.Value)
		case isVector:
			err = setVector(&d, vector, x.Value)
		case string(x.Value) != "null":
			payload = append(payload, x)
		}
		if err != nil {
			return d, fmt.Errorf("%s: %w", x.Key, err)
		}
	}
	if !found {
		return d, fmt.Errorf("there is no key %q, which holds the IDs", m.id)
	}
	if len(payload) > 0 {
		d.Payload = jsonobject.Append(nil, payload)
	}
	return d, nil
}

// setVector reads a JSON array. null is no vector.
func setVector(d *collection.Document, name string, text []byte) error {
	var v []float32
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("it isn't an array of numbers: %w", err)
	}
	if v == nil {
		return nil
	}
	if d.Vectors == nil {
		d.Vectors = map[string][]float32{}
	}
	d.Vectors[name] = v
	return nil
}
