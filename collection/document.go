package collection

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Document is what a collection holds under an ID. In JSON it is
//
//	{"id": "a1", "vector": [0.1, 0.2], "payload": {"title": "On bees"}}
//
// where "vectors": {"name": [0.1, 0.2]} takes the place of "vector" if the vectors of the collection have names.
type Document struct {
	ID      ID
	Vector  []float32            // if the collection has a single vector without a name
	Vectors map[string][]float32 // otherwise: some or all of its vectors, by name
	Payload json.RawMessage      // a JSON object, or nil
}

// Hit is a document that a query found.
type Hit struct {
	Document
	Distance float32         // by the metric of the vector asked for; smaller is nearer
	Group    json.RawMessage // the value of the group, if the query asks for groups
}

// documentJSON is the form of a Document in JSON, and, with a distance, that of a Hit.
type documentJSON struct {
	ID       *ID                  `json:"id"`
	Distance *float32             `json:"distance,omitempty"`
	Group    json.RawMessage      `json:"group,omitempty"`
	Vector   []float32            `json:"vector,omitempty"`
	Vectors  map[string][]float32 `json:"vectors,omitempty"`
	Payload  json.RawMessage      `json:"payload,omitempty"`
}

// MarshalJSON returns the document as a JSON object.
func (d Document) MarshalJSON() ([]byte, error) { return marshal(d.json()) }

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// MarshalJSON returns the document as a JSON object that also has the distance.
func (h Hit) MarshalJSON() ([]byte, error) {
	d := h.json()
	d.Distance, d.Group = &h.Distance, h.Group
	return marshal(d)
}

func (d Document) json() documentJSON {
	j := documentJSON{ID: &d.ID, Vector: d.Vector, Vectors: d.Vectors, Payload: d.Payload}
	if v, unnamed := d.Vectors[""]; unnamed && len(d.Vectors) == 1 {
		j.Vector, j.Vectors = v, nil
	}
	return j
}

// UnmarshalJSON reads a JSON object. A field that it doesn't know is an error.
func (d *Document) UnmarshalJSON(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("the document isn't valid UTF-8")
	}
	var j documentJSON
	fields := json.NewDecoder(bytes.NewReader(b))
	fields.DisallowUnknownFields()
	if err := fields.Decode(&j); err != nil {
		return err
	}
	switch {
	case j.ID == nil:
		return errors.New(`the document has no "id"`)
	case j.Distance != nil:
		return errors.New(`json: unknown field "distance"`)
	case j.Group != nil:
		return errors.New(`json: unknown field "group"`)
	case j.Vector != nil && j.Vectors != nil:
		return errors.New(`the document has both "vector" and "vectors"`)
	}
	if string(j.Payload) == "null" {
		j.Payload = nil
	}
	*d = Document{ID: *j.ID, Vector: j.Vector, Vectors: j.Vectors, Payload: j.Payload}
	return nil
}
