package collection

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"unicode/utf8"

	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

// DocumentError says which document of a batch was refused. Nothing of the batch was written.
type DocumentError struct {
	At    int // place in the batch, from 0
	ID    ID
	Field string // "id", "vector", "payload"
	Err   error
}

// Error implements error.
func (e *DocumentError) Error() string {
	return fmt.Sprintf("document %d of the batch, id %s: %s: %v", e.At, e.ID, e.Field, e.Err)
}

// Unwrap returns Err and ErrInvalid.
func (e *DocumentError) Unwrap() []error { return []error{e.Err, ErrInvalid} }

// prepared is a document as it is written.
type prepared struct {
	documentRecord
	rows    [][]float32 // one for each vector of the schema, normalised if the metric is cosine; nil: none
	payload []byte      // compact
}

// prepare checks a batch, which it doesn't change.
func (c *Collection) prepare(batch []Document) ([]prepared, error) {
	if len(batch) > c.options.MaxBatch {
		return nil, invalidf("the batch has %d documents, at most %d are allowed", len(batch), c.options.MaxBatch)
	}
	all := make([]prepared, len(batch))
	at := make(map[ID]int, len(batch))
	for i, d := range batch {
		runtime.Gosched() // searches go first: a batch may take longer than they
		refused := func(field string, err error) error { return &DocumentError{i, d.ID, field, err} }
		if err := d.ID.check(c.options.MaxIDBytes); err != nil {
			return nil, refused("id", err)
		}
		if before, twice := at[d.ID]; twice {
			return nil, refused("id", fmt.Errorf("document %d of the batch has the same", before))
		}
		at[d.ID] = i
		all[i].id = d.ID
		if err := c.prepareVectors(&all[i], d.Vector, d.Vectors); err != nil {
			return nil, refused("vector", err)
		}
		var err error
		if all[i].payload, err = c.preparePayload(d.Payload); err != nil {
			return nil, refused("payload", err)
		}
	}
	return all, nil
}

// prepareVectors checks the vectors of a document: the only one, or those by name.
func (c *Collection) prepareVectors(p *prepared, only []float32, vectors map[string][]float32) error {
	switch {
	case only != nil && len(vectors) > 0:
		return errors.New("the document has both Vector and Vectors")
	case only != nil:
		vectors = map[string][]float32{"": only}
	case len(vectors) == 0:
		return errors.New("the document has none")
	}
	p.rows = make([][]float32, len(c.schema.Vectors))
	for name, v := range vectors {
		at, err := c.schema.find(name)
		if err != nil {
			return err
		}
		if p.rows[at], err = c.schema.Vectors[at].prepare(v); err != nil {
			return fmt.Errorf("%q: %w", c.schema.Vectors[at].Name, err)
		}
		if p.vectors&(1<<at) != 0 {
			return fmt.Errorf("%q is given twice", c.schema.Vectors[at].Name)
		}
		p.vectors |= 1 << at
	}
	return nil
}

// checkValues returns an error unless values can be a vector of a document or of a query.
func (v Vector) checkValues(values []float32) error {
	if len(values) != v.Dim {
		return fmt.Errorf("%w: it has %d values, not %d", vector.ErrDim, len(values), v.Dim)
	}
	return score.Check(v.Metric, values)
}

// prepare returns a copy of values as an index holds it.
func (v Vector) prepare(values []float32) ([]float32, error) {
	if err := v.checkValues(values); err != nil {
		return nil, err
	}
	row := append([]float32(nil), values...)
	if v.Metric == vector.Cosine {
		vector.Normalize(row)
	}
	return row, nil
}

// preparePayload checks a payload and returns it without white space.
func (c *Collection) preparePayload(payload json.RawMessage) ([]byte, error) {
	if len(payload) == 0 {
		return nil, nil
	}
	if len(payload) > c.options.MaxPayloadBytes {
		return nil, fmt.Errorf("it has %d bytes, at most %d are allowed", len(payload), c.options.MaxPayloadBytes)
	}
	if !utf8.Valid(payload) {
		return nil, errors.New("it isn't valid UTF-8")
	}
	if first := bytes.TrimLeft(payload, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return nil, errors.New("it isn't a JSON object")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, payload); err != nil {
		return nil, err
	}
	return compact.Bytes(), c.checkTokens(compact.Bytes())
}

// checkTokens checks the depth, the keys and the numbers of valid JSON.
func (c *Collection) checkTokens(payload []byte) error {
	tokens := json.NewDecoder(bytes.NewReader(payload))
	tokens.UseNumber()
	values, depth := 0, 0
	for tokens.More() || depth > 0 {
		t, err := tokens.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
		case json.Number:
			if _, err := strconv.ParseFloat(t.String(), 64); err != nil {
				return fmt.Errorf("the number %s is too large", t)
			}
		}
		if values++; depth > c.options.MaxPayloadDepth {
			return fmt.Errorf("objects and arrays are nested more than %d deep", c.options.MaxPayloadDepth)
		}
		if values > c.options.MaxPayloadValues {
			return fmt.Errorf("it has more than %d keys, values and brackets", c.options.MaxPayloadValues)
		}
	}
	return nil
}
