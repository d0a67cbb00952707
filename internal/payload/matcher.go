package payload

import (
	"bytes"
	"slices"
)

// Matcher is a filter ready for use, by many goroutines at once.
type Matcher struct {
	root  *Node
	names []string // first names of the paths of the root's tests, each once
}

// Root returns the filter as a tree, which must not be changed.
func (m *Matcher) Root() *Node { return m.root }

// place gives the path of a test a slot.
func (m *Matcher) place(n *Node) {
	if len(n.Path.steps) == 0 {
		return
	}
	n.Path.slot = slices.Index(m.names, n.Path.steps[0].name)
	if n.Path.slot < 0 {
		n.Path.slot = len(m.names)
		m.names = append(m.names, n.Path.steps[0].name)
	}
}

// document is a payload whose members that the filter names have been found.
type document struct {
	members [][]byte // by slot; nil: there is none
	id      ID
}

// usualNames is the number of names for which Match needs no memory.
const usualNames = 8

// Match reports whether the filter holds for a document. The payload must be a valid JSON object, or empty.
func (m *Matcher) Match(payload []byte, id ID) bool { return m.MatchNode(m.root, payload, id) }

// MatchNode is Match for one node of the filter's tree.
func (m *Matcher) MatchNode(n *Node, payload []byte, id ID) bool {
	var room [usualNames][]byte
	d := document{room[:min(len(m.names), usualNames)], id}
	if len(m.names) > usualNames {
		d.members = make([][]byte, len(m.names))
	}
	if len(m.names) > 0 {
		m.find(payload, d.members)
	}
	return n.holds(&d)
}

// find sets the members that the filter names.
func (m *Matcher) find(payload []byte, members [][]byte) {
	for o := open(payload, '{'); ; {
		key, value, ok := o.member()
		if !ok {
			return
		}
		for slot, name := range m.names {
			if isString(key, name) {
				members[slot] = value
			}
		}
	}
}

func (n *Node) holds(d *document) bool {
	switch n.Op {
	case And:
		for _, child := range n.Nodes {
			if !child.holds(d) {
				return false
			}
		}
		return true
	case Or:
		for _, child := range n.Nodes {
			if child.holds(d) {
				return true
			}
		}
		return false
	case Not:
		return !n.Nodes[0].holds(d)
	case AtLeast:
		left := n.Min
		for _, child := range n.Nodes {
			if left > 0 && child.holds(d) {
				left--
			}
		}
		return left <= 0
	case IDs:
		return n.IDs[d.id]
	}
	return n.test(d)
}

// test evaluates a test of a field.
func (n *Node) test(d *document) bool {
	switch n.Op {
	case Empty:
		return n.eachValue(d, isEmpty)
	case Null:
		return !n.eachValue(d, func(value []byte) bool { return value[0] != 'n' })
	case Count:
		return n.count(d)
	case AllWords, AnyWord:
		return n.hasWords(d)
	}
	if len(n.Path.steps) == 1 { // the usual case takes no memory
		member := d.members[n.Path.slot]
		return member != nil && n.acceptsItem(member)
	}
	return !n.eachValue(d, func(value []byte) bool { return !n.acceptsItem(value) })
}

// acceptsItem is accepts for a value, or an element of it if it is an array.
func (n *Node) acceptsItem(value []byte) bool {
	if value[0] != '[' {
		return n.accepts(value)
	}
	for array := open(value, '['); ; {
		element, ok := array.element()
		if !ok || n.accepts(element) {
			return ok
		}
	}
}

// eachValue calls fn with the values at the node's path until fn returns false. It reports whether fn never did.
func (n *Node) eachValue(d *document, fn func(value []byte) bool) bool {
	member := d.members[n.Path.slot]
	return member == nil || each(member, n.Path.steps[1:], fn)
}

// eachItem is eachValue with the elements of arrays in place of these.
func (n *Node) eachItem(d *document, fn func(value []byte) bool) bool {
	return n.eachValue(d, func(value []byte) bool { return eachItemOf(value, fn) })
}

func eachItemOf(value []byte, fn func(value []byte) bool) bool {
	if value[0] != '[' {
		return fn(value)
	}
	for array := open(value, '['); ; {
		element, ok := array.element()
		if !ok || !fn(element) {
			return !ok
		}
	}
}

// isEmpty reports whether a value is null or an array without elements.
func isEmpty(value []byte) bool {
	return value[0] == 'n' || value[0] == '[' && value[skipSpace(value, 1)%len(value)] == ']'
}

// accepts reports whether a test that is about single values holds for one.
func (n *Node) accepts(value []byte) bool {
	switch n.Op {
	case AnyString:
		return value[0] == '"' && n.hasString(value)
	case AnyBool:
		return value[0] == 't' && n.Bools[1] || value[0] == 'f' && n.Bools[0]
	case AnyNumber:
		number, ok := asNumber(value)
		if !ok {
			return false
		}
		_, found := slices.BinarySearchFunc(n.Numbers, number, Number.Compare)
		return found
	case Except:
		return isScalar(value) && !n.Except.acceptsAny(value)
	case NumberRange:
		number, ok := asNumber(value)
		return ok && n.Bounds.Contain(number)
	case TimeRange:
		time, ok := asTime(value)
		return ok && n.Bounds.Contain(time)
	case NestedIn:
		return value[0] == '{' && n.Nested.Match(value, ID{})
	}
	return false
}

func (n *Node) hasString(quoted []byte) bool {
	if len(quoted) >= 2 && bytes.IndexByte(quoted, '\\') < 0 {
		return n.Strings[string(quoted[1:len(quoted)-1])] // without a copy
	}
	return n.Strings[unquote(quoted)]
}

// acceptsAny is accepts for what anyOf returns.
func (n *Node) acceptsAny(value []byte) bool {
	if n.Op != Or {
		return n.accepts(value)
	}
	return slices.ContainsFunc(n.Nodes, func(child *Node) bool { return child.accepts(value) })
}

func isScalar(value []byte) bool { return value[0] != '{' && value[0] != '[' && value[0] != 'n' }

func asNumber(value []byte) (Number, bool) {
	if value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		return Number{}, false
	}
	return parseNumber(value)
}

func asTime(value []byte) (Number, bool) {
	if value[0] != '"' {
		return Number{}, false
	}
	return parseTime(unquote(value))
}

func (n *Node) count(d *document) bool {
	there := false
	holds := !n.eachValue(d, func(value []byte) bool {
		there = true
		return !n.Bounds.Contain(numberOfInt(int64(countOf(value))))
	})
	return holds || !there && n.Bounds.Contain(Number{})
}

func countOf(value []byte) (count int) {
	if value[0] == 'n' {
		return 0
	}
	eachItemOf(value, func([]byte) bool { count++; return true })
	return count
}

// hasWords reports whether the strings of a field hold all of the node's words, or one.
func (n *Node) hasWords(d *document) bool {
	missing := make(map[string]bool, len(n.Words))
	for _, word := range n.Words {
		missing[word] = true
	}
	enough := 0
	if n.Op == AnyWord {
		enough = len(missing) - 1
	}
	n.eachItem(d, func(value []byte) bool {
		if value[0] == '"' {
			eachWord(unquote(value), func(word string) { delete(missing, word) })
		}
		return len(missing) > enough
	})
	return len(missing) <= enough
}
