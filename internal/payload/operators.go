package payload

import (
	"maps"
	"slices"
	"strings"
)

// ParseOperators reads a filter in the form that Chroma, Pinecone and LangChain use:
//
//	{"city": "London", "price": {"$gte": 10, "$lt": 20}, "$or": [{"kind": {"$in": ["a"]}}, {"sold": {"$ne": true}}]}
//
// All of the conditions beside each other must hold. $ne and $nin hold where the field is missing, too; $eq null where
// it is missing, null or an empty array, and "$exists": true where it is none of these. Bounds of $gt, $gte, $lt and
// $lte are numbers or times, as in a Range. $not takes a filter, or the operators of a field.
func ParseOperators(b []byte) (f Filter, err error) {
	tree, err := decode(b)
	if err != nil || tree == nil {
		return f, err
	}
	object, ok := tree.(map[string]any)
	if !ok {
		return f, at("").errorf("it is %s, an object is expected", describe(tree))
	}
	return operators(object)
}

func operators(object map[string]any) (Filter, error) {
	p := parser{}
	f := p.operators(object, "")
	return f, p.checked(f)
}

const (
	joiners        = "$and, $or, $not"
	fieldOperators = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $not"
)

// operators reads an object of fields, and of operators that join objects.
func (p *parser) operators(v any, a at) (f Filter) {
	if p.depth++; p.depth > mostDepth {
		p.fail(a, "operators are within each other more than %d deep", mostDepth)
		return f
	}
	defer func() { p.depth-- }()
	object, ok := v.(map[string]any)
	if !ok {
		p.fail(a, "it is %s, an object is expected", describe(v))
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if p.err != nil {
			return f
		}
		v, a := object[key], a.key(shorten(key))
		switch {
		case key == "$and":
			f.Must = append(f.Must, p.all(v, a)...)
		case key == "$or":
			f.Must = append(f.Must, Condition{Filter: &Filter{Should: p.all(v, a)}})
		case key == "$not":
			f.MustNot = append(f.MustNot, within(p.operators(v, a)))
		case strings.HasPrefix(key, "$"):
			p.fail(a, "it isn't known, expected are fields and: %s", joiners)
		default:
			p.ofField(&f, key, v, a)
		}
	}
	return f
}

// within makes a condition of a filter.
func within(f Filter) Condition { return Condition{Filter: &f} }

// all reads an array of objects, of which there must be one.
func (p *parser) all(v any, a at) (conditions []Condition) {
	array := p.array(v, a)
	if len(array) == 0 {
		p.fail(a, "it is empty, at least one object is expected")
	}
	for i, v := range array {
		if p.err != nil {
			return nil
		}
		conditions = append(conditions, within(p.operators(v, a.element(i))))
	}
	return conditions
}

// ofField adds what is demanded of a field: a value, or operators with theirs.
func (p *parser) ofField(f *Filter, key string, v any, a at) {
	if _, err := ParsePath(key); err != nil {
		p.fail(a, "%w", err)
	}
	object, ok := v.(map[string]any)
	if !ok {
		p.operator(f, key, "$eq", v, a)
		return
	}
	if len(object) == 0 {
		p.fail(a, "it is an empty object, a value is expected, or operators: %s", fieldOperators)
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		p.operator(f, key, name, object[name], a.key(shorten(name)))
	}
}

func (p *parser) operator(f *Filter, key, name string, v any, a at) {
	if p.err != nil {
		return
	}
	switch name {
	case "$eq":
		f.Must = append(f.Must, p.equals(key, v, a))
	case "$ne":
		f.MustNot = append(f.MustNot, p.equals(key, v, a))
	case "$in":
		f.Must = append(f.Must, Condition{Key: key, Match: &Match{Any: p.scalars(v, a)}})
	case "$nin":
		f.MustNot = append(f.MustNot, Condition{Key: key, Match: &Match{Any: p.scalars(v, a)}})
	case "$gt":
		f.Must = append(f.Must, Condition{Key: key, Range: &Range{Gt: p.bound(v, a)}})
	case "$gte":
		f.Must = append(f.Must, Condition{Key: key, Range: &Range{Gte: p.bound(v, a)}})
	case "$lt":
		f.Must = append(f.Must, Condition{Key: key, Range: &Range{Lt: p.bound(v, a)}})
	case "$lte":
		f.Must = append(f.Must, Condition{Key: key, Range: &Range{Lte: p.bound(v, a)}})
	case "$exists":
		p.exists(f, key, v, a)
	case "$not":
		if p.depth++; p.depth > mostDepth {
			p.fail(a, "operators are within each other more than %d deep", mostDepth)
			return
		}
		var negated Filter
		p.ofField(&negated, key, v, a)
		f.MustNot = append(f.MustNot, within(negated))
		p.depth--
	default:
		p.fail(a, "it isn't known, expected are: %s", fieldOperators)
	}
}

func (p *parser) equals(key string, v any, a at) Condition {
	if v == nil {
		return Condition{IsEmpty: &Field{key}}
	}
	return Condition{Key: key, Match: &Match{Value: p.scalar(v, a)}}
}

// bound returns a number or a time.
func (p *parser) bound(v any, a at) any {
	if s, ok := v.(string); ok {
		if _, ok := parseTime(s); ok {
			return v
		}
	} else if _, ok := numberOf(v); ok {
		return v
	}
	p.fail(a, "it is %s, a number or a time such as \"2024-05-01T12:00:00Z\" is expected", describe(v))
	return nil
}

func (p *parser) exists(f *Filter, key string, v any, a at) {
	there, ok := v.(bool)
	if !ok {
		p.fail(a, "it is %s, true or false is expected", describe(v))
	}
	if c := (Condition{IsEmpty: &Field{key}}); there {
		f.MustNot = append(f.MustNot, c)
	} else {
		f.Must = append(f.Must, c)
	}
}
