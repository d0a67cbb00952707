package datafile

import (
	"errors"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/shale-search/shale/vector"
)

// leaf is a column of a Parquet file.
type leaf struct {
	index          int // among the columns of a row group
	path           string
	maxRep, maxDef int
	stored         dtype // of kind 0 where the column holds no numbers
	dt             dtype // that is given out: floats as they are stored, integers as float32
}

// vectors reports whether the column's rows are lists of numbers.
func (l leaf) vectors() bool { return l.maxRep == 1 && l.stored.kind != 0 }

// integers reports whether the numbers are integers.
func (l leaf) integers() bool { return l.stored.integer() }

// integer reports whether each row is one integer.
func (l leaf) integer() bool { return l.maxRep == 0 && l.integers() }

// column is the part of the path that a user knows: pyarrow's lists add list.element to it.
func (l leaf) column() string {
	name := l.path
	for _, suffix := range []string{".element", ".item", ".list", ".array", ".bag"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

// maxSchemaDepth is more than tables nest.
const maxSchemaDepth = 64

var errSchema = errors.New("the schema's tree is damaged")

// leaves lists the columns of a schema, which is a tree written depth first.
func leaves(schema []format.SchemaElement) ([]leaf, error) {
	if len(schema) == 0 {
		return nil, errSchema
	}
	var found []leaf
	next := 1
	var walk func(children int32, at leaf, depth int) error
	walk = func(children int32, at leaf, depth int) error {
		for range children {
			if next >= len(schema) || depth > maxSchemaDepth {
				return errSchema
			}
			e := schema[next]
			next++
			child := at.child(e)
			if n, ok := e.NumChildren.Get(); ok && !e.Type.Valid {
				if err := walk(n, child, depth+1); err != nil {
					return err
				}
				continue
			}
			child.index, child.stored = len(found), elementType(e)
			if child.dt = child.stored; child.integers() {
				child.dt = dtypeOf(vector.Float32)
			}
			found = append(found, child)
		}
		return nil
	}
	n, _ := schema[0].NumChildren.Get()
	if err := walk(n, leaf{}, 0); err != nil {
		return nil, err
	}
	if next != len(schema) {
		return nil, errSchema
	}
	return found, nil
}

// child is a leaf or group below l.
func (l leaf) child(e format.SchemaElement) leaf {
	if l.path != "" {
		l.path += "."
	}
	l.path += e.Name
	switch r, _ := e.RepetitionType.Get(); r {
	case format.Repeated:
		l.maxRep++
		l.maxDef++
	case format.Optional:
		l.maxDef++
	}
	return l
}

func elementType(e format.SchemaElement) dtype {
	t, _ := e.Type.Get()
	switch t {
	case format.Int32, format.Int64:
		return integerType(e, t)
	case format.Float:
		return dtype{kind: 'f', size: 4}
	case format.Double:
		return dtype{kind: 'f', size: 8}
	case format.FixedLenByteArray:
		_, half := e.LogicalType.Value.(*format.Float16Type)
		if n, _ := e.TypeLength.Get(); half && n == 2 {
			return dtype{kind: 'f', size: 2}
		}
	}
	return dtype{}
}

// integerType is the type of integers, unless they stand for something else, like dates or decimals.
func integerType(e format.SchemaElement, t format.Type) dtype {
	d := dtype{kind: 'i', size: 4}
	if t == format.Int64 {
		d.size = 8
	}
	switch logical := e.LogicalType.Value.(type) {
	case *format.IntType:
		if !logical.IsSigned {
			d.kind = 'u'
		}
		return d
	case nil:
	default:
		return dtype{}
	}
	switch c, ok := e.ConvertedType.Get(); {
	case !ok, c == deprecated.Int8, c == deprecated.Int16, c == deprecated.Int32, c == deprecated.Int64:
		return d
	case c == deprecated.Uint8, c == deprecated.Uint16, c == deprecated.Uint32, c == deprecated.Uint64:
		d.kind = 'u'
		return d
	}
	return dtype{}
}

// chooseVectors finds the column named, or the only one of lists of floats, or of integers where none holds floats.
func chooseVectors(o origin, all []leaf, name string) (leaf, error) {
	lists := slices.DeleteFunc(slices.Clone(all), func(l leaf) bool { return !l.vectors() })
	if slices.ContainsFunc(lists, func(l leaf) bool { return !l.integers() }) && name == "" {
		lists = slices.DeleteFunc(lists, leaf.integers)
	}
	return chooseLeaf(o, all, lists, name, "vectors", "lists of numbers")
}

// chooseIntegers finds the column named, or the only one of an integer a row, which it gives out as it is stored.
func chooseIntegers(o origin, all []leaf, name string) (leaf, error) {
	fit := slices.DeleteFunc(slices.Clone(all), func(l leaf) bool { return !l.integer() })
	l, err := chooseLeaf(o, all, fit, name, "integers", "integers, one a row")
	l.dt = l.stored
	return l, err
}

// chooseLeaf finds the column named, which must be among those that fit, or the only one of them. Errors call the
// columns that fit those of kind, and say what they hold.
func chooseLeaf(o origin, all, fit []leaf, name, kind, holds string) (leaf, error) {
	var names []string
	for _, l := range fit {
		names = append(names, l.column())
	}
	for _, l := range all {
		if name == "" || (name != l.column() && name != l.path) {
			continue
		}
		if !slices.Contains(fit, l) {
			return leaf{}, o.caused(ErrUnsupported, -1, "column", "%s holds no %s", name, holds)
		}
		return l, nil
	}
	have := listed(names)
	switch {
	case name != "":
		return leaf{}, o.bad(-1, "column", "there is no %q: columns of %s are: %s", name, kind, have)
	case len(fit) == 0:
		return leaf{}, o.bad(-1, "column", "none holds %s", holds)
	case len(fit) > 1:
		return leaf{}, o.bad(-1, "column", "several hold %s: name one as %s:NAME, of %s", kind, o.file, have)
	}
	return fit[0], nil
}
