package payload

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Compile checks a filter and makes it ready for use.
func Compile(f Filter) (*Matcher, error) {
	c := compiler{}
	return c.matcher(f, "")
}

// compiler counts what there is of a filter.
type compiler struct{ depth, conditions int }

func (c *compiler) matcher(f Filter, a at) (*Matcher, error) {
	root, err := c.filter(f, a)
	if err != nil {
		return nil, err
	}
	m := &Matcher{root: root}
	root.walk(m.place)
	return m, nil
}

func (c *compiler) filter(f Filter, a at) (*Node, error) {
	if c.depth++; c.depth > mostDepth {
		return nil, a.errorf("filters are within each other more than %d deep", mostDepth)
	}
	defer func() { c.depth-- }()
	root := &Node{Op: And}
	must, err := c.list(f.Must, a.key("must"))
	if err != nil {
		return nil, err
	}
	root.Nodes = must
	should, err := c.list(f.Should, a.key("should"))
	if err != nil {
		return nil, err
	}
	if len(should) > 0 {
		root.Nodes = append(root.Nodes, &Node{Op: Or, Nodes: should})
	}
	mustNot, err := c.list(f.MustNot, a.key("must_not"))
	if err != nil {
		return nil, err
	}
	for _, n := range mustNot {
		root.Nodes = append(root.Nodes, &Node{Op: Not, Nodes: []*Node{n}})
	}
	if f.MinShould == nil {
		return root, nil
	}
	a = a.key("min_should")
	least, err := c.list(f.MinShould.Conditions, a.key("conditions"))
	if f.MinShould.Min < 0 {
		return nil, a.key("min_count").errorf("it is %d, below 0", f.MinShould.Min)
	}
	root.Nodes = append(root.Nodes, &Node{Op: AtLeast, Nodes: least, Min: f.MinShould.Min})
	return root, err
}

func (c *compiler) list(conditions []Condition, a at) (nodes []*Node, err error) {
	for i, condition := range conditions {
		if c.conditions++; c.conditions > mostConditions {
			return nil, a.errorf("the filter has more than %d conditions", mostConditions)
		}
		n, err := c.condition(condition, a.element(i))
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// condition compiles one condition, of which one test must be set.
func (c *compiler) condition(q Condition, a at) (n *Node, err error) {
	tests := 0
	do := func(set, ofField bool, compile func() (*Node, error)) {
		if !set || err != nil {
			return
		}
		if tests++; ofField != (q.Key != "") {
			err = a.errorf("match, range and values_count have a key beside them, other conditions have none")
			return
		}
		n, err = compile()
	}
	do(q.Match != nil, true, func() (*Node, error) { return c.match(q, a) })
	do(q.Range != nil, true, func() (*Node, error) { return c.bounds(q, a) })
	do(q.ValuesCount != nil, true, func() (*Node, error) { return c.count(q, a) })
	do(q.IsEmpty != nil, false, func() (*Node, error) { return field(Empty, q.IsEmpty.Key, a.key("is_empty")) })
	do(q.IsNull != nil, false, func() (*Node, error) { return field(Null, q.IsNull.Key, a.key("is_null")) })
	do(q.HasID != nil, false, func() (*Node, error) { return hasID(*q.HasID), nil })
	do(q.Nested != nil, false, func() (*Node, error) { return c.nested(*q.Nested, a.key("nested")) })
	do(q.Filter != nil, false, func() (*Node, error) { return c.filter(*q.Filter, a) })
	if err == nil && tests != 1 {
		err = a.errorf("it has %d tests, one is expected of: match, range or values_count with key; "+
			"is_empty, is_null, has_id, nested; or must, should, must_not, min_should", tests)
	}
	return n, err
}

func field(op Op, key string, a at) (*Node, error) {
	p, err := ParsePath(key)
	if err != nil {
		return nil, a.key("key").errorf("%w", err)
	}
	return &Node{Op: op, Path: p}, nil
}

func hasID(ids HasID) *Node {
	n := &Node{Op: IDs, IDs: make(map[ID]bool, len(ids))}
	for _, id := range ids {
		n.IDs[id] = true
	}
	return n
}

func (c *compiler) nested(q Nested, a at) (*Node, error) {
	n, err := field(NestedIn, q.Key, a)
	if err != nil {
		return nil, err
	}
	if n.Nested, err = c.matcher(q.Filter, a.key("filter")); err != nil {
		return nil, err
	}
	hasIDs := false
	n.Nested.root.walk(func(n *Node) { hasIDs = hasIDs || n.Op == IDs })
	if hasIDs {
		return nil, a.key("filter").errorf("has_id can't be nested: only documents have an id")
	}
	return n, nil
}

func (c *compiler) match(q Condition, a at) (*Node, error) {
	n, err := field(And, q.Key, a)
	if err != nil {
		return nil, err
	}
	a = a.key("match")
	m, set := q.Match, 0
	for _, is := range []bool{m.Value != nil, m.Any != nil, m.Except != nil, m.Text != nil, m.TextAny != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return nil, a.errorf("it has %d of value, any, except, text and text_any, one is expected", set)
	}
	switch {
	case m.Value != nil:
		return anyOf(n.Path, []any{m.Value}, func(int) at { return a.key("value") })
	case m.Any != nil:
		return anyOf(n.Path, m.Any, a.key("any").element)
	case m.Except != nil:
		n.Op = Except
		n.Except, err = anyOf(n.Path, m.Except, a.key("except").element)
		return n, err
	case m.Text != nil:
		n.Op, n.Words, err = AllWords, wordsOf(*m.Text), checkText(*m.Text, a.key("text"))
	default:
		n.Op, n.Words, err = AnyWord, wordsOf(*m.TextAny), checkText(*m.TextAny, a.key("text_any"))
	}
	return n, err
}

func checkText(text string, a at) error {
	if !utf8.ValidString(text) {
		return a.errorf("it isn't valid UTF-8")
	}
	if len(wordsOf(text)) == 0 {
		return a.errorf("it has no word, at least one is expected")
	}
	return nil
}

// anyOf compiles the test of whether a field equals one of some values: a node for each of their types.
func anyOf(p Path, values []any, a func(i int) at) (*Node, error) {
	texts := &Node{Op: AnyString, Path: p, Strings: map[string]bool{}}
	numbers, bools := &Node{Op: AnyNumber, Path: p}, &Node{Op: AnyBool, Path: p}
	for i, v := range values {
		switch v := v.(type) {
		case string:
			if !utf8.ValidString(v) {
				return nil, a(i).errorf("the string isn't valid UTF-8")
			}
			texts.Strings[v] = true
		case bool:
			bools.Bools[bit(v)] = true
		default:
			n, ok := numberOf(v)
			if !ok {
				return nil, a(i).errorf("it is %s, a string, a boolean or a finite number is expected", describe(v))
			}
			numbers.Numbers = append(numbers.Numbers, n)
		}
	}
	slices.SortFunc(numbers.Numbers, Number.Compare)
	numbers.Numbers = slices.Compact(numbers.Numbers)
	all := &Node{Op: Or}
	if len(texts.Strings) > 0 {
		all.Nodes = append(all.Nodes, texts)
	}
	if len(numbers.Numbers) > 0 {
		all.Nodes = append(all.Nodes, numbers)
	}
	if bools.Bools != [2]bool{} {
		all.Nodes = append(all.Nodes, bools)
	}
	if len(all.Nodes) == 1 {
		return all.Nodes[0], nil
	}
	return all, nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// describe says what a value of a filter is.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if len(v) > 40 {
			return fmt.Sprintf("a string of %d bytes", len(v))
		}
		return fmt.Sprintf("the string %q", v)
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprint(v)
}

func (c *compiler) count(q Condition, a at) (*Node, error) {
	n, err := field(Count, q.Key, a)
	if err != nil {
		return nil, err
	}
	isTime := false
	if n.Bounds, isTime, err = boundsOf(*q.ValuesCount, a.key("values_count")); err == nil && isTime {
		err = a.key("values_count").errorf("its bounds are times, numbers are expected")
	}
	return n, err
}

func (c *compiler) bounds(q Condition, a at) (*Node, error) {
	n, err := field(NumberRange, q.Key, a)
	if err != nil {
		return nil, err
	}
	isTime := false
	if n.Bounds, isTime, err = boundsOf(*q.Range, a.key("range")); isTime {
		n.Op = TimeRange
	}
	return n, err
}

// boundsOf compiles a range. Where gt and gte are both given the tighter one counts.
func boundsOf(r Range, a at) (b Bounds, isTime bool, err error) {
	numbers, times := 0, 0
	read := func(name string, v any) (n Number, ok bool) {
		if v == nil || err != nil {
			return n, false
		}
		if s, isText := v.(string); isText {
			times++
			n, ok = parseTime(s)
		} else {
			numbers++
			n, ok = numberOf(v)
		}
		if !ok {
			err = a.key(name).errorf("it is %s, a finite number or a time such as \"2024-05-01T12:00:00Z\" is expected",
				describe(v))
		}
		return n, ok
	}
	b.Low, b.HasLow = read("gte", r.Gte)
	if n, ok := read("gt", r.Gt); ok && (!b.HasLow || n.Compare(b.Low) >= 0) {
		b.Low, b.HasLow, b.OpenLow = n, true, true
	}
	b.High, b.HasHigh = read("lte", r.Lte)
	if n, ok := read("lt", r.Lt); ok && (!b.HasHigh || n.Compare(b.High) <= 0) {
		b.High, b.HasHigh, b.OpenHigh = n, true, true
	}
	switch {
	case err != nil:
	case numbers > 0 && times > 0:
		err = a.errorf("some bounds are numbers and some are times")
	case numbers+times == 0:
		err = a.errorf("it has no bound: one of gt, gte, lt and lte is expected")
	}
	return b, times > 0, err
}
