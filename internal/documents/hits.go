package documents

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/internal/jsonobject"
)

// hitKeys are the columns of a hit besides its document's.
var hitKeys = []string{"query", "rank", "distance", "group"}

// WriteHits writes the documents that queries found, a row each, as Write writes documents. Rows have the numbers of
// the query, from 0 on, and of the hit, from 1 on. In tables a key of payloads with the name of such a column gets a
// column payload.KEY. The schema has the vectors that documents were read with.
func WriteHits(name string, stdout io.Writer, s collection.Schema, hits [][]collection.Hit) error {
	ext, file := formatOf(name)
	switch {
	case file == dataname.Stdin:
		return writeHitLines(stdout, hits)
	case ext == ".jsonl" || ext == ".ndjson":
		return atomicfile.Write(file, func(w io.Writer) error { return writeHitLines(w, hits) })
	}
	return Write(name, stdout, s, func(passes ...func(collection.Document) error) error {
		for _, pass := range passes {
			for q, found := range hits {
				if err := passHits(q, found, pass); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// writeHitLines writes JSON lines.
func writeHitLines(w io.Writer, hits [][]collection.Hit) error {
	b := bufio.NewWriterSize(w, 64<<10)
	for q, found := range hits {
		for i, h := range found {
			text, err := json.Marshal(h)
			if err != nil {
				return err
			}
			// An error comes again when it is flushed.
			fmt.Fprintf(b, "{\"query\":%d,\"rank\":%d,%s\n", q, i+1, text[1:])
		}
	}
	return b.Flush()
}

// passHits makes documents of the hits of query q, whose payloads begin with the columns of hits.
func passHits(q int, found []collection.Hit, pass func(collection.Document) error) error {
	for i, h := range found {
		distance, err := json.Marshal(h.Distance)
		if err != nil {
			return err
		}
		values := [][]byte{strconv.AppendInt(nil, int64(q), 10), strconv.AppendInt(nil, int64(i+1), 10), distance, h.Group}
		var members []jsonobject.Member
		for k, value := range values {
			if value != nil {
				members = append(members, jsonobject.Member{Key: hitKeys[k], Value: value})
			}
		}
		payload, err := payloadMembers(h.Payload)
		if err != nil {
			return err
		}
		d := h.Document
		d.Payload = jsonobject.Append(nil, append(members, payload...))
		if err := pass(d); err != nil {
			return err
		}
	}
	return nil
}

// payloadMembers returns the members of a payload, with other names for those that columns of hits have.
func payloadMembers(payload json.RawMessage) ([]jsonobject.Member, error) {
	if payload == nil {
		return nil, nil
	}
	members, err := jsonobject.Members(payload)
	if err != nil {
		return nil, fmt.Errorf("the payload of a document that was found: %w", err)
	}
	for i := range members {
		if !slices.Contains(hitKeys, members[i].Key) {
			continue
		}
		key := members[i].Key
		for jsonobject.Find(members, key) >= 0 {
			key = "payload." + key
		}
		members[i].Key = key
	}
	return members, nil
}
