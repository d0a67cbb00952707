package collection

import (
	"context"
	"maps"

	"pgregory.net/rapid"

	"github.com/shale-search/shale"
)

// change does something that changes the contents or the files.
func (r *modelRun) change() {
	switch rapid.IntRange(0, 7).Draw(r.T, "change") {
	case 4:
		r.delete()
	case 5:
		r.update()
	case 6:
		r.settle(r.model, r.c.Seal(context.Background()))
	case 7:
		r.settle(r.model, r.c.Compact(context.Background()))
	default:
		r.upsert()
	}
}

// settle takes what the collection should hold after a change, unless the change failed. Only a fault of the disk
// excuses that.
func (r *modelRun) settle(after model, err error) {
	if err != nil {
		if r.disk == nil || !r.disk.excuses(err) {
			r.Fatal(err)
		}
		return
	}
	r.before = append(r.before, r.model)
	r.model = after
}

// anyVectors draws the vectors of a document, at least one.
func (r *modelRun) anyVectors() map[string][]float32 {
	vectors := map[string][]float32{}
	for _, v := range r.schema.Vectors {
		if len(r.schema.Vectors) == 1 || rapid.IntRange(0, 3).Draw(r.T, "vector") > 0 {
			vectors[v.Name] = anyValues(r.T, v)
		}
	}
	if len(vectors) == 0 {
		vectors[r.schema.Vectors[0].Name] = anyValues(r.T, r.schema.Vectors[0])
	}
	return vectors
}

func (r *modelRun) upsert() {
	after, batch := maps.Clone(r.model), []Document(nil)
	for _, id := range rapid.SliceOfNDistinct(anyModelID(), 1, 12, rapid.ID[ID]).Draw(r.T, "ids") {
		after[id] = modelDocument{r.steps, r.anyVectors()}
		batch = append(batch, after[id].document(id))
	}
	r.settle(after, r.c.Upsert(context.Background(), batch))
}

func (r *modelRun) delete() {
	ids := rapid.SliceOfN(anyModelID(), 1, 6).Draw(r.T, "deleted")
	after := maps.Clone(r.model)
	for _, id := range ids {
		delete(after, id)
	}
	want := len(r.model) - len(after)
	n, err := r.c.Delete(context.Background(), ids...)
	if err == nil && n != want {
		r.Fatalf("%d documents were deleted; the model had %d of them", n, want)
	}
	r.settle(after, err)
}

// update changes payloads of some documents and vectors of others.
func (r *modelRun) update() {
	after, batch, there, refused := maps.Clone(r.model), []Update(nil), 0, false
	for _, id := range rapid.SliceOfNDistinct(anyModelID(), 1, 12, rapid.ID[ID]).Draw(r.T, "updated") {
		d, ok := r.model[id]
		u := Update{ID: id}
		if rapid.Bool().Draw(r.T, "payload") {
			d.number = r.steps
			u.Set = d.document(id).Payload
		} else {
			v := rapid.SampledFrom(r.schema.Vectors).Draw(r.T, "changed")
			values := anyValues(r.T, v)
			if u.Vectors = map[string][]float32{v.Name: values}; v.Name == "" {
				u.Vector, u.Vectors = values, nil
			}
			d.vectors = maps.Clone(d.vectors)
			if d.vectors == nil {
				d.vectors = map[string][]float32{}
			}
			d.vectors[v.Name] = values
			refused = refused || ok && r.losesRows(d, v.Name)
		}
		if ok {
			after[id] = d
			there++
		}
		batch = append(batch, u)
	}
	n, err := r.c.Update(context.Background(), batch)
	if err != nil && refused {
		return // a vector without rows would have to be written again
	}
	if err == nil && n != there {
		r.Fatalf("%d documents were updated; the model had %d of them", n, there)
	}
	r.settle(after, err)
}

// losesRows reports whether a document has a vector without rows, but for the one that is changed.
func (r *modelRun) losesRows(d modelDocument, changed string) bool {
	for _, v := range r.schema.Vectors {
		if v.Name != changed && d.vectors[v.Name] != nil && v.Rows == shale.RowsNone {
			return true
		}
	}
	return false
}
