//go:build cgo

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/coding"
)

// operation is one of those of shale_collection_do.
type operation func(
	ctx context.Context, c *collection.Collection, arguments string, rows []namedRows,
) (*answered, error)

// operations are those of shale_collection_do, by name.
var operations = map[string]operation{
	"upsert": taking(upsertDocuments),
	"update": taking(updateDocuments),
	"delete": taking(deleteDocuments),
	"get":    taking(getDocuments),
	"scroll": taking(scrollDocuments),
	"query":  taking(queryDocuments),
	"facets": taking(countValues),
	"count":  taking(countDocuments),

	"create_index": taking(createPayloadIndex),
	"drop_index":   taking(dropPayloadIndex),

	"seal":     taking(sealCollection),
	"snapshot": taking(writeSnapshot),
	"compact":  taking(compactCollection),
	"info":     taking(describeCollection),
}

// taking makes an operation of a function that takes decoded arguments.
func taking[A any](fn func(ctx context.Context, c *collection.Collection, a A, rows []namedRows) (*answered, error),
) operation {
	return func(ctx context.Context, c *collection.Collection, arguments string, rows []namedRows) (*answered, error) {
		a, err := decode[A](arguments)
		if err != nil {
			return nil, err
		}
		return fn(ctx, c, a, rows)
	}
}

// answering makes an answer of what an operation reports.
func answering(r any, vectors []float32) (*answered, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return &answered{b, vectors}, nil
}

// answeringNumber makes an answer of what a method that counts has returned.
func answeringNumber(n int, err error) (*answered, error) {
	if err != nil {
		return nil, err
	}
	return answering(n, nil)
}

type none struct{}

type upsertArguments struct {
	IDs      []collection.ID   `json:"ids"`
	Payloads []json.RawMessage `json:"payloads"` // none, or one for each; null: the document has none
}

func upsertDocuments(ctx context.Context, c *collection.Collection, a upsertArguments, rows []namedRows,
) (*answered, error) {
	if len(a.Payloads) != 0 && len(a.Payloads) != len(a.IDs) {
		return nil, valueError("%d payloads for %d ids", len(a.Payloads), len(a.IDs))
	}
	batch := make([]collection.Document, len(a.IDs))
	for i, id := range a.IDs {
		batch[i] = collection.Document{ID: id, Vectors: make(map[string][]float32, len(rows))}
		if len(a.Payloads) != 0 && string(a.Payloads[i]) != "null" {
			batch[i].Payload = a.Payloads[i]
		}
	}
	for _, r := range rows {
		if err := r.give(batch); err != nil {
			return nil, err
		}
	}
	return nil, c.Upsert(ctx, batch)
}

// give gives documents their rows.
func (n *namedRows) give(batch []collection.Document) error {
	if n.places == nil && n.rows.Rows() != len(batch) {
		return valueError("%d vectors for %d ids", n.rows.Rows(), len(batch))
	}
	for i := range n.rows.Rows() {
		at := i
		if n.places != nil {
			at = int(n.places[i])
		}
		if at < 0 || at >= len(batch) {
			return valueError("a vector belongs to document %d of %d", at, len(batch))
		}
		batch[at].Vectors[n.name] = n.row(i)
	}
	return nil
}

// updateArguments are one change of all the documents: see collection.Update. A row of a vector is that of all.
type updateArguments struct {
	IDs         []collection.ID    `json:"ids"`
	Clear       bool               `json:"clear"`
	Payload     json.RawMessage    `json:"payload"`
	Unset       []string           `json:"unset"`
	Set         json.RawMessage    `json:"set"`
	DropVectors []string           `json:"drop_vectors"`
	Filter      *collection.Filter `json:"filter"` // in place of IDs
}

func updateDocuments(ctx context.Context, c *collection.Collection, a updateArguments, rows []namedRows,
) (*answered, error) {
	vectors := make(map[string][]float32, len(rows))
	for _, r := range rows {
		if r.rows.Rows() != 1 {
			return nil, valueError("%d vectors %q for each document", r.rows.Rows(), r.name)
		}
		vectors[r.name] = r.row(0)
	}
	u := collection.Update{
		Clear: a.Clear, Payload: a.Payload, Unset: a.Unset, Set: a.Set, Vectors: vectors, DropVectors: a.DropVectors,
	}
	if a.Filter != nil {
		return answeringNumber(c.UpdateWhere(ctx, *a.Filter, u))
	}
	batch := make([]collection.Update, len(a.IDs))
	for i, id := range a.IDs {
		u.ID = id
		batch[i] = u
	}
	return answeringNumber(c.Update(ctx, batch))
}

type deleteArguments struct {
	IDs    []collection.ID    `json:"ids"`
	Filter *collection.Filter `json:"filter"` // in place of IDs
}

func deleteDocuments(ctx context.Context, c *collection.Collection, a deleteArguments, _ []namedRows,
) (*answered, error) {
	if a.Filter != nil {
		return answeringNumber(c.DeleteWhere(ctx, *a.Filter))
	}
	return answeringNumber(c.Delete(ctx, a.IDs...))
}

// fieldArguments say what of documents to answer beside their IDs.
type fieldArguments struct {
	Payload bool     `json:"payload"`
	Vectors bool     `json:"vectors"`
	Include []string `json:"include"` // keys of payloads; none: all
}

func (f fieldArguments) fields() collection.Fields {
	return collection.Fields{Payload: f.Payload, Vectors: f.Vectors, Include: f.Include}
}

type getArguments struct {
	IDs []collection.ID `json:"ids"`
	fieldArguments
}

func getDocuments(ctx context.Context, c *collection.Collection, a getArguments, _ []namedRows) (*answered, error) {
	found, err := c.Get(ctx, a.fields(), a.IDs...)
	if err != nil {
		return nil, err
	}
	return answerDocuments(c.Schema(), found)
}

type scrollArguments struct {
	After  *collection.ID    `json:"after"`
	Limit  int               `json:"limit"`
	Filter collection.Filter `json:"filter"`
	fieldArguments
}

func scrollDocuments(ctx context.Context, c *collection.Collection, a scrollArguments, _ []namedRows,
) (*answered, error) {
	found, err := c.Scroll(ctx, collection.ScrollOptions{
		After: a.After, Limit: a.Limit, Filter: a.Filter, Fields: a.fields(),
	})
	if err != nil {
		return nil, err
	}
	return answerDocuments(c.Schema(), found)
}

// documentReport is a document of an answer. Its vectors are beside the text: those it has, in the order of the schema.
type documentReport struct {
	ID       collection.ID   `json:"id"`
	Distance *float32        `json:"distance,omitempty"`
	Group    json.RawMessage `json:"group,omitempty"`
	Payload  json.RawMessage `json:"payload,omitempty"`
	Vectors  []int           `json:"vectors,omitempty"` // places in the schema
}

// describe returns the report of a document, and vectors with its own appended.
func describe(s collection.Schema, d collection.Document, vectors []float32) (documentReport, []float32) {
	r := documentReport{ID: d.ID, Payload: d.Payload}
	for i, spec := range s.Vectors {
		if v := vectorOf(d, spec.Name); v != nil {
			r.Vectors, vectors = append(r.Vectors, i), append(vectors, v...)
		}
	}
	return r, vectors
}

// vectorOf returns a vector of a document, or nil.
func vectorOf(d collection.Document, name string) []float32 {
	if name == "" {
		return d.Vector
	}
	return d.Vectors[name]
}

func answerDocuments(s collection.Schema, found []collection.Document) (*answered, error) {
	reports := make([]documentReport, len(found))
	var vectors []float32
	for i, d := range found {
		reports[i], vectors = describe(s, d, vectors)
	}
	return answering(reports, vectors)
}

type queryArguments struct {
	Vector      string            `json:"vector"`
	Like        []collection.ID   `json:"like"`
	K           int               `json:"k"`
	Offset      int               `json:"offset"`
	MaxDistance *float32          `json:"max_distance"`
	GroupBy     string            `json:"group_by"`
	GroupSize   int               `json:"group_size"`
	Ef          int               `json:"ef"`
	Exact       bool              `json:"exact"`
	Threads     int               `json:"threads"`
	Filter      collection.Filter `json:"filter"`
	fieldArguments
}

// queryReport is what queries have found.
type queryReport struct {
	Hits    [][]documentReport `json:"hits"`
	Scanned []string           `json:"scanned,omitempty"` // see collection.QueryStats
}

func queryDocuments(ctx context.Context, c *collection.Collection, a queryArguments, rows []namedRows,
) (*answered, error) {
	var stats collection.QueryStats
	q := collection.Query{
		Vector: a.Vector, Like: a.Like, K: a.K, Offset: a.Offset, MaxDistance: a.MaxDistance, GroupBy: a.GroupBy,
		GroupSize: a.GroupSize, Ef: a.Ef, Exact: a.Exact, Threads: a.Threads, Filter: a.Filter, Stats: &stats,
		Fields: a.fields(),
	}
	for _, r := range rows {
		for i := range r.rows.Rows() {
			q.Near = append(q.Near, r.row(i))
		}
	}
	hits, err := c.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	r := queryReport{Hits: make([][]documentReport, len(hits)), Scanned: stats.Scanned}
	var vectors []float32
	for i, found := range hits {
		r.Hits[i] = make([]documentReport, len(found))
		for j, h := range found {
			r.Hits[i][j], vectors = describe(c.Schema(), h.Document, vectors)
			r.Hits[i][j].Distance, r.Hits[i][j].Group = &found[j].Distance, h.Group
		}
	}
	return answering(r, vectors)
}

func sealCollection(ctx context.Context, c *collection.Collection, _ none, _ []namedRows) (*answered, error) {
	return nil, c.Seal(ctx)
}

func compactCollection(ctx context.Context, c *collection.Collection, _ none, _ []namedRows) (*answered, error) {
	return nil, c.Compact(ctx)
}

type snapshotArguments struct {
	Dir string `json:"dir"`
}

func writeSnapshot(ctx context.Context, c *collection.Collection, a snapshotArguments, _ []namedRows,
) (*answered, error) {
	return nil, c.Snapshot(ctx, a.Dir)
}

type countArguments struct {
	Filter *collection.Filter `json:"filter"`
}

func countDocuments(ctx context.Context, c *collection.Collection, a countArguments, _ []namedRows,
) (*answered, error) {
	if a.Filter != nil {
		return answeringNumber(c.CountWhere(ctx, *a.Filter))
	}
	return answeringNumber(c.Count())
}

type facetArguments struct {
	Field  string            `json:"field"`
	Filter collection.Filter `json:"filter"`
	Limit  int               `json:"limit"`
}

func countValues(ctx context.Context, c *collection.Collection, a facetArguments, _ []namedRows) (*answered, error) {
	found, err := c.Facets(ctx, collection.FacetOptions{Field: a.Field, Filter: a.Filter, Limit: a.Limit})
	if err != nil {
		return nil, err
	}
	return answering(found, nil)
}

func createPayloadIndex(ctx context.Context, c *collection.Collection, p collection.PayloadIndex, _ []namedRows,
) (*answered, error) {
	return nil, c.CreatePayloadIndex(ctx, p)
}

func dropPayloadIndex(_ context.Context, c *collection.Collection, p collection.PayloadIndex, _ []namedRows,
) (*answered, error) {
	dropped, err := c.DropPayloadIndex(p)
	if err != nil {
		return nil, err
	}
	return answering(dropped, nil)
}

// collectionReport describes a collection.
type collectionReport struct {
	collection.Info
	Schema  schemaOptions             `json:"schema"`
	Indexes []collection.PayloadIndex `json:"indexes"`
}

func describeCollection(_ context.Context, c *collection.Collection, _ none, _ []namedRows) (*answered, error) {
	info, err := c.Info()
	if err != nil {
		return nil, err
	}
	if info.Segments == nil {
		info.Segments = []collection.SegmentInfo{}
	}
	r := collectionReport{Info: info, Indexes: []collection.PayloadIndex{}}
	indexes, err := c.PayloadIndexes()
	if err != nil {
		return nil, err
	}
	r.Indexes = append(r.Indexes, indexes...)
	for _, v := range c.Schema().Vectors {
		r.Schema.Vectors = append(r.Schema.Vectors, vectorOptions{
			v.Name, v.Dim, v.Metric.String(), cmp.Or(string(v.Codes), coding.Auto), cmp.Or(string(v.Rows), coding.Auto),
			cmp.Or(v.M, 16), cmp.Or(v.EfConstruction, 200),
		})
	}
	return answering(r, nil)
}
