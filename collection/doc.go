// Package collection keeps documents: an ID, vectors and a payload, which is a JSON object. They are written, deleted
// and searched at the same time, and there may be more of them than fit in memory.
//
//	schema := collection.Schema{Vectors: []collection.Vector{{Dim: 384, Metric: vector.Cosine}}}
//	err := collection.Create("my.docs", schema)                             // once
//	docs, err := collection.Open(ctx, "my.docs", collection.Options{})
//	err = docs.Upsert(ctx, []collection.Document{
//		{ID: collection.StringID("a1"), Vector: embedding, Payload: json.RawMessage(`{"city": "Rome"}`)},
//	})
//	rome := collection.Equal("city", "Rome")
//	hits, err := docs.Query(ctx, collection.Query{Near: [][]float32{embedding}, K: 5, Filter: rome})
//
// A collection is a directory that one process opens at a time; its goroutines share one Collection. When a call that
// writes returns, what it has written is on the disk, whole, and the next query finds it; nothing is saved and nothing
// is lost if the process is killed or the machine loses power. A query sees one state of the collection, however long
// it takes. In the background new documents become files, and small files large ones.
package collection
