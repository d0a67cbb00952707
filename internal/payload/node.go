package payload

// Node is a filter as it is evaluated: a tree whose leaves test a field each.
type Node struct {
	Op    Op
	Nodes []*Node // of And, Or, Not (one) and AtLeast
	Min   int     // of AtLeast

	Path    Path            // of the tests of a field
	Strings map[string]bool // of AnyString
	Numbers []Number        // of AnyNumber, in order, each once
	Bools   [2]bool         // of AnyBool: whether false and true are among the values
	Except  *Node           // of Except: an Or of tests of the same field
	Bounds  Bounds          // of NumberRange, TimeRange and Count
	Words   []string        // of AllWords and AnyWord, each once
	IDs     map[ID]bool     // of IDs
	Nested  *Matcher        // of NestedIn
}

// Op says what a Node does.
type Op int

// The operations of nodes. And of no nodes is true, Or of none false.
const (
	And Op = iota
	Or
	Not
	AtLeast
	IDs
	AnyString // an element is one of some strings
	AnyNumber
	AnyBool
	Except // an element is a string, number or boolean that isn't among the values
	NumberRange
	TimeRange
	AllWords
	AnyWord
	Empty
	Null
	Count
	NestedIn
)

// Bounds are those of a range. A bound that isn't set doesn't apply.
type Bounds struct {
	Low, High         Number
	HasLow, HasHigh   bool
	OpenLow, OpenHigh bool // the bound itself is outside
}

// Contain reports whether n is within the bounds.
func (b Bounds) Contain(n Number) bool {
	if b.HasLow {
		if c := n.Compare(b.Low); c < 0 || c == 0 && b.OpenLow {
			return false
		}
	}
	if b.HasHigh {
		if c := n.Compare(b.High); c > 0 || c == 0 && b.OpenHigh {
			return false
		}
	}
	return true
}

// Fields returns the keys of the fields that the node tests, each once.
func (n *Node) Fields() (keys []string) {
	seen := map[string]bool{}
	n.walk(func(n *Node) {
		if n.Op < AnyString {
			return
		}
		if key := n.Path.String(); !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	})
	return keys
}

func (n *Node) walk(fn func(*Node)) {
	fn(n)
	for _, child := range n.Nodes {
		child.walk(fn)
	}
	if n.Except != nil {
		n.Except.walk(fn)
	}
}
