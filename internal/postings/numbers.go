package postings

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sort"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/shale-search/shale/internal/payload"
)

// Value is a number that a document of a chunk has in a field.
type Value struct {
	payload.Number
	Document uint16
}

// sortValues sorts values by number, then by document, and removes repeated ones.
func sortValues(values []Value) []Value {
	slices.SortFunc(values, compareValues)
	return slices.Compact(values)
}

func compareValues(a, b Value) int {
	return cmp.Or(a.Compare(b.Number), cmp.Compare(a.Document, b.Document))
}

// The form of numbers with their documents: 4 bytes with how many different numbers there are, then of each, in order,
// 8 and 2 bytes of its key and 4 with where its documents end; then documents, 2 bytes each. All are little-endian. A
// range of numbers is one piece of the documents, which is found without a look at other numbers.
const (
	numbersHead = 4
	highBytes   = 8
	lowBytes    = 2
	endBytes    = 4
	documentLen = 2
)

// EncodeNumbers returns values, which it sorts, as the store holds them.
func EncodeNumbers(values []Value) []byte {
	values = sortValues(values)
	var high, low, ends, documents []byte
	for i, v := range values {
		if i > 0 && v.Number != values[i-1].Number {
			ends = binary.LittleEndian.AppendUint32(ends, uint32(i))
		}
		if i == 0 || v.Number != values[i-1].Number {
			h, l := v.Key()
			high, low = binary.LittleEndian.AppendUint64(high, h), binary.LittleEndian.AppendUint16(low, l)
		}
		documents = binary.LittleEndian.AppendUint16(documents, v.Document)
	}
	if len(values) > 0 {
		ends = binary.LittleEndian.AppendUint32(ends, uint32(len(values)))
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(high)/highBytes))
	return slices.Concat(b, high, low, ends, documents)
}

// numbersEdit begins a change of numbers in place of their count. Then come 2 bytes, the length of a set of documents,
// the set, and the numbers that take the place of all that these documents have.
const numbersEdit = 1<<32 - 1

// EncodeNumbersEdit returns a change of the numbers of a chunk: what some documents have is replaced. See EncodeEdit.
func EncodeNumbersEdit(documents *roaring.Bitmap, values []Value) []byte {
	s := EncodeSet(documents)
	b := binary.LittleEndian.AppendUint32(nil, numbersEdit)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
	return slices.Concat(b, s, EncodeNumbers(values))
}

// decodeNumbersEdit reads numbers or a change of them.
func decodeNumbersEdit(b []byte) (documents *roaring.Bitmap, n Numbers, err error) {
	if len(b) < numbersHead || binary.LittleEndian.Uint32(b) != numbersEdit {
		n, err = DecodeNumbers(b)
		return roaring.New(), n, err
	}
	b = b[numbersHead:]
	if len(b) < 2 || len(b)-2 < int(binary.LittleEndian.Uint16(b)) {
		return nil, n, ErrDamaged
	}
	end := 2 + int(binary.LittleEndian.Uint16(b))
	if documents, err = DecodeSet(b[2:end]); err == nil {
		n, err = DecodeNumbers(b[end:])
	}
	return documents, n, err
}

// Numbers is what EncodeNumbers has written. Places in it are checked, the order of the numbers isn't.
type Numbers struct{ high, low, ends, documents []byte }

// DecodeNumbers returns a view of b. No value is no numbers.
func DecodeNumbers(b []byte) (n Numbers, err error) {
	if len(b) == 0 {
		return n, nil
	}
	if len(b) < numbersHead {
		return n, ErrDamaged
	}
	count := int(binary.LittleEndian.Uint32(b))
	b = b[numbersHead:]
	if count > len(b)/(highBytes+lowBytes+endBytes+documentLen) {
		return n, ErrDamaged
	}
	n.high, b = b[:highBytes*count], b[highBytes*count:]
	n.low, b = b[:lowBytes*count], b[lowBytes*count:]
	n.ends, n.documents = b[:endBytes*count], b[endBytes*count:]
	if len(n.documents)%documentLen != 0 || count > 0 && n.end(count-1) != len(n.documents)/documentLen {
		return n, ErrDamaged
	}
	return n, nil
}

// Len returns how many different numbers there are.
func (n Numbers) Len() int { return len(n.high) / highBytes }

// Number returns one of them, in order.
func (n Numbers) Number(i int) payload.Number {
	return payload.NumberOfKey(binary.LittleEndian.Uint64(n.high[highBytes*i:]),
		binary.LittleEndian.Uint16(n.low[lowBytes*i:]))
}

// end returns where the documents of a number end.
func (n Numbers) end(i int) int {
	return min(int(binary.LittleEndian.Uint32(n.ends[endBytes*i:])), len(n.documents)/documentLen)
}

// Set returns the documents of the numbers from the first to the one before last.
func (n Numbers) Set(first, last int) *roaring.Bitmap { return setOf(n.between(first, last)) }

// between is Set, 2 bytes each.
func (n Numbers) between(first, last int) []byte {
	if first >= last {
		return nil
	}
	from, to := 0, n.end(last-1)
	if first > 0 {
		from = min(n.end(first-1), to)
	}
	return n.documents[documentLen*from : documentLen*to]
}

// Within returns the places of the numbers within bounds.
func (n Numbers) Within(b payload.Bounds) (first, last int) {
	last = n.Len()
	if b.HasLow {
		first = sort.Search(n.Len(), func(i int) bool {
			c := n.Number(i).Compare(b.Low)
			return c > 0 || c == 0 && !b.OpenLow
		})
	}
	if b.HasHigh {
		last = sort.Search(n.Len(), func(i int) bool {
			c := n.Number(i).Compare(b.High)
			return c > 0 || c == 0 && b.OpenHigh
		})
	}
	return first, last
}

// Values returns all values.
func (n Numbers) Values() (values []Value) {
	for i := range n.Len() {
		for d := n.between(i, i+1); len(d) > 0; d = d[documentLen:] {
			values = append(values, Value{n.Number(i), binary.LittleEndian.Uint16(d)})
		}
	}
	return values
}

// Range returns the documents that have a number within bounds.
func (n Numbers) Range(b payload.Bounds) *roaring.Bitmap {
	return n.Set(n.Within(b))
}

// addTo adds the documents that have a number within bounds to the bits of a chunk.
func (n Numbers) addTo(words []uint64, b payload.Bounds) { addDocuments(words, n.between(n.Within(b))) }

// addDocuments adds documents that are given with 2 bytes each.
func addDocuments(words []uint64, documents []byte) {
	for ; len(documents) >= documentLen; documents = documents[documentLen:] {
		d := binary.LittleEndian.Uint16(documents)
		words[d>>6] |= 1 << (d & 63)
	}
}

// mostInList is the number of members up to which a set is made of a list of them.
const mostInList = 1024

// setOf returns the set of documents that are given with 2 bytes each.
func setOf(documents []byte) *roaring.Bitmap {
	if len(documents) <= documentLen*mostInList {
		s := roaring.New()
		members := make([]uint32, 0, mostInList)
		for ; len(documents) > 0; documents = documents[documentLen:] {
			members = append(members, uint32(binary.LittleEndian.Uint16(documents)))
		}
		s.AddMany(members)
		return s
	}
	words := make([]uint64, chunkWords)
	addDocuments(words, documents)
	return roaring.FromDense(words, false)
}
