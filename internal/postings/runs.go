package postings

import (
	"encoding/binary"
	"slices"
	"sort"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/shale-search/shale/internal/payload"
)

// The numbers of a chunk lie in runs, each of which holds those of some of its documents: a run comes with each segment
// that is sealed, until a few are made one. The numbers of a run, in order, are divided into groups. Beside each group
// is the set of the documents of the groups before it. So the documents of a range are what the group with its high end
// says less what the group with its low end says, and two groups are read, however many documents that are.
//
// Changes of the numbers of single documents are kept apart, under NumbersTerm, until a run takes them up.

// Terms of numbers.
const (
	NumbersTerm   = "\x03" // see EncodeNumbersEdit
	DirectoryTerm = "\x04" // which runs there are
	groupsTerm    = "\x05" // then the numbers of run and group, 2 bytes each: a group
	GroupsEnd     = "\x06" // is after all groups
)

// groupValues is about the number of values of a group. All values of one number are in one group.
const groupValues = 2048

// MostRuns is how many runs a chunk may have before they are made one.
const MostRuns = 4

// Run is what a directory says about a run.
type Run struct {
	ID     uint16
	Many   bool             // a document has more than one number
	Firsts []payload.Number // of the groups
}

// GroupTerm returns the term of a group of a run. After the last group there is one more, without numbers.
func GroupTerm(run uint16, group int) string {
	b := binary.BigEndian.AppendUint16([]byte(groupsTerm), run)
	return string(binary.BigEndian.AppendUint16(b, uint16(group)))
}

// NewRun makes a run of values, which it sorts, and returns its groups as the store holds them.
func NewRun(id uint16, values []Value) (r Run, groups [][]byte) {
	values = sortValues(values)
	r.ID = id
	before := roaring.New()
	for len(values) > 0 {
		end := min(groupValues, len(values))
		for end < len(values) && values[end].Number == values[end-1].Number {
			end++
		}
		r.Firsts = append(r.Firsts, values[0].Number)
		groups = append(groups, encodeGroup(before, values[:end]))
		for _, v := range values[:end] {
			if !before.CheckedAdd(uint32(v.Document)) {
				r.Many = true
			}
		}
		values = values[end:]
	}
	return r, append(groups, encodeGroup(before, nil))
}

func encodeGroup(before *roaring.Bitmap, values []Value) []byte {
	s := EncodeSet(before)
	return slices.Concat(binary.LittleEndian.AppendUint16(nil, uint16(len(s))), s, EncodeNumbers(values))
}

// decodeGroup returns the set of documents before a group as EncodeSet has written it, and the numbers.
func decodeGroup(b []byte) (before []byte, n Numbers, err error) {
	if len(b) < 2 || len(b)-2 < int(binary.LittleEndian.Uint16(b)) {
		return nil, n, ErrDamaged
	}
	end := 2 + int(binary.LittleEndian.Uint16(b))
	n, err = DecodeNumbers(b[end:])
	return b[2:end], n, err
}

const runHead = 2 + 1 + 2 // of a run in a directory: its number, whether it has many, and the number of groups

// EncodeDirectory returns the value of DirectoryTerm.
func EncodeDirectory(runs []Run) (b []byte) {
	for _, r := range runs {
		b = binary.LittleEndian.AppendUint16(b, r.ID)
		many := byte(0)
		if r.Many {
			many = 1
		}
		b = binary.LittleEndian.AppendUint16(append(b, many), uint16(len(r.Firsts)))
		for _, n := range r.Firsts {
			high, low := n.Key()
			b = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint64(b, high), low)
		}
	}
	return b
}

// DecodeDirectory reads what EncodeDirectory has written.
func DecodeDirectory(b []byte) (runs []Run, err error) {
	const firstBytes = highBytes + lowBytes
	for len(b) > 0 {
		if len(b) < runHead {
			return nil, ErrDamaged
		}
		r := Run{ID: binary.LittleEndian.Uint16(b), Many: b[2] != 0}
		groups := int(binary.LittleEndian.Uint16(b[3:]))
		if b = b[runHead:]; len(b) < groups*firstBytes {
			return nil, ErrDamaged
		}
		r.Firsts = make([]payload.Number, groups)
		for i := range r.Firsts {
			r.Firsts[i] = payload.NumberOfKey(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint16(b[highBytes:]))
			b = b[firstBytes:]
		}
		runs = append(runs, r)
	}
	return runs, nil
}

// Stored is how the numbers of a chunk are read: it calls fn with the value of a term, which is empty if there is none
// and not valid afterwards.
type Stored func(term string, fn func(value []byte) error) error

// Runs returns the runs.
func (s Stored) Runs() (runs []Run, err error) {
	err = s(DirectoryTerm, func(value []byte) error {
		runs, err = DecodeDirectory(value)
		return err
	})
	return runs, err
}

// edits calls fn with the documents whose numbers were changed, and with those numbers.
func (s Stored) edits(fn func(documents *roaring.Bitmap, n Numbers)) error {
	return s(NumbersTerm, func(value []byte) error {
		documents, n, err := decodeNumbersEdit(value)
		if err == nil {
			fn(documents, n)
		}
		return err
	})
}

// Range returns the documents that have a number within one of some bounds.
func (s Stored) Range(bounds ...payload.Bounds) (*roaring.Bitmap, error) {
	runs, err := s.Runs()
	if err != nil {
		return nil, err
	}
	var found *roaring.Bitmap
	for _, r := range runs {
		for _, b := range bounds {
			some, err := s.within(r, b)
			if err != nil {
				return nil, err
			}
			if found == nil {
				found = some
			} else {
				found.Or(some)
			}
		}
	}
	if found == nil {
		found = roaring.New()
	}
	return found, s.edits(func(documents *roaring.Bitmap, n Numbers) {
		found.AndNot(documents)
		for _, b := range bounds {
			found.Or(n.Range(b))
		}
	})
}

// within returns the documents of a run that have a number within bounds.
func (s Stored) within(r Run, b payload.Bounds) (found *roaring.Bitmap, err error) {
	low, high := r.groupOf(b.HasLow, b.Low, 0), r.groupOf(b.HasHigh, b.High, len(r.Firsts))
	if low == high {
		err = s.group(r, low, func(_ []byte, n Numbers) error {
			found = n.Range(b)
			return nil
		})
		return found, err
	}
	words := make([]uint64, chunkWords)
	if r.Many {
		for g := low; g <= high && err == nil; g++ {
			err = s.group(r, g, func(_ []byte, n Numbers) error {
				n.addTo(words, b)
				return nil
			})
		}
		return roaring.FromDense(words, false), err
	}
	err = s.upTo(r, high, payload.Bounds{High: b.High, HasHigh: b.HasHigh, OpenHigh: b.OpenHigh}, words)
	if err == nil && b.HasLow {
		// The numbers below the range are those that are at most its low end, which is within it unless it is open.
		below := make([]uint64, chunkWords)
		err = s.upTo(r, low, payload.Bounds{High: b.Low, HasHigh: true, OpenHigh: !b.OpenLow}, below)
		for i, w := range below {
			words[i] &^= w
		}
	}
	return roaring.FromDense(words, false), err
}

// upTo adds the documents of the groups before one, and those of that group with a number within bounds.
func (s Stored) upTo(r Run, group int, b payload.Bounds, words []uint64) error {
	return s.group(r, group, func(before []byte, n Numbers) error {
		n.addTo(words, b)
		return addSet(words, before)
	})
}

// group calls fn with a group: the set of the documents before it, as EncodeSet has written it, and the numbers.
func (s Stored) group(r Run, group int, fn func(before []byte, n Numbers) error) error {
	return s(GroupTerm(r.ID, group), func(value []byte) error {
		before, n, err := decodeGroup(value)
		if err != nil {
			return err
		}
		return fn(before, n)
	})
}

// groupOf returns the group in which a number is, or would be.
func (r Run) groupOf(has bool, n payload.Number, otherwise int) int {
	if !has {
		return otherwise
	}
	return max(0, sort.Search(len(r.Firsts), func(i int) bool { return n.Compare(r.Firsts[i]) < 0 })-1)
}

// Any returns the documents that have one of some numbers.
func (s Stored) Any(numbers []payload.Number) (*roaring.Bitmap, error) {
	bounds := make([]payload.Bounds, len(numbers))
	for i, n := range numbers {
		bounds[i] = payload.Bounds{Low: n, High: n, HasLow: true, HasHigh: true}
	}
	return s.Range(bounds...)
}

// RunValues returns what the runs hold. Changes since aren't in it.
func (s Stored) RunValues(runs []Run) (values []Value, err error) {
	for _, r := range runs {
		for g := range r.Firsts {
			err := s.group(r, g, func(_ []byte, n Numbers) error {
				values = append(values, n.Values()...)
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return values, nil
}

// Values returns all numbers, in order, each once a document.
func (s Stored) Values() ([]Value, error) {
	runs, err := s.Runs()
	if err != nil {
		return nil, err
	}
	values, err := s.RunValues(runs)
	if err != nil {
		return nil, err
	}
	err = s.edits(func(documents *roaring.Bitmap, n Numbers) {
		values = append(without(values, documents), n.Values()...)
	})
	return sortValues(values), err
}
