package collection

import (
	"encoding/binary"
	"math"
)

// The keys of the store, by their first byte. Numbers in keys are 8 bytes, big-endian, so that their order is that of
// keys. docs/notes/collections.md describes them for readers of the format.
const (
	schemaKey    = 'f' // → the schema, JSON
	countersKey  = 'c' // → counters
	idKey        = 'i' // ID → number
	documentKey  = 'n' // number → which vectors the document has, ID
	payloadKey   = 'p' // number → payload, JSON; no key without a payload
	markKey      = 'm' // name → what a program has noted with what it wrote
	segmentKey   = 's' // segment → segmentRecord, JSON
	tombstoneKey = 't' // segment, number → nothing: the segment's row of that number is dead
	thereKey     = 'd' // chunk → which of its documents are there, see documentSet
	mergeKey     = 'g' // → the merge under way, mergeRecord, JSON
	indexKey     = 'x' // payload index → indexRecord, JSON
	postingKey   = 'y' // payload index, chunk, term → documents or numbers, see package postings
	cleanedKey   = 'z' // chunk → how many documents were there when its postings were written last, if ever again
	vectorKey    = 'v' // vector of the schema (1 byte), number → float32 values, until they are in a sealed segment
)

func keyOfID(id ID) []byte { return appendID([]byte{idKey}, id) }

func keyOfNumber(prefix byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefix}, n)
}

func keyOfTombstone(segment, n uint64) []byte {
	return binary.BigEndian.AppendUint64(keyOfNumber(tombstoneKey, segment), n)
}

func keyOfVector(vector int, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{vectorKey, byte(vector)}, n)
}

// number returns the number at the end of a key, after skip other bytes.
func number(key []byte, skip int) (uint64, bool) {
	if len(key) != skip+8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[skip:]), true
}

// counters are the numbers that grow.
type counters struct {
	next      uint64 // number of the next document
	segment   uint64 // number of the growing segment
	first     uint64 // smallest number that a document of the growing segment may have
	documents uint64 // that are there
	index     uint64 // number of the next payload index

	// What belongs to a state like the numbers, but has keys of its own.
	there   *documentSet
	indexes []*payloadIndex // by their ids; the slice never changes
}

func (c counters) encode() []byte {
	var b []byte
	for _, n := range []uint64{c.next, c.segment, c.first, c.documents, c.index} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func decodeCounters(b []byte) (c counters, ok bool) {
	if len(b) != 40 {
		return c, false
	}
	for i, n := range []*uint64{&c.next, &c.segment, &c.first, &c.documents, &c.index} {
		*n = binary.BigEndian.Uint64(b[8*i:])
	}
	return c, c.first <= c.next && c.documents <= c.next
}

// documentRecord is the value of a documentKey.
type documentRecord struct {
	vectors uint64 // bit v: it has vector v of the schema
	id      ID
}

func (d documentRecord) encode() []byte {
	return appendID(binary.AppendUvarint(nil, d.vectors), d.id)
}

func decodeDocument(b []byte) (d documentRecord, ok bool) {
	vectors, n := binary.Uvarint(b)
	if n <= 0 {
		return d, false
	}
	id, ok := decodeID(b[n:])
	return documentRecord{vectors, id}, ok
}

func encodeVector(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func decodeVector(b []byte, dst []float32) bool {
	if len(b) != 4*len(dst) {
		return false
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return true
}
