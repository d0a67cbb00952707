package collection

import (
	"strings"

	"github.com/shale-search/shale/internal/jsonobject"
)

// choose returns the keys of a payload that are wanted, or nil if there are none.
func (f Fields) choose(payload []byte) ([]byte, error) {
	if payload == nil || len(f.Include)+len(f.Exclude) == 0 {
		return payload, nil
	}
	all, err := jsonobject.Members(payload)
	if err != nil {
		return nil, err
	}
	if len(f.Include) > 0 {
		if all, err = only(all, f.Include); err != nil {
			return nil, err
		}
	}
	for _, path := range f.Exclude {
		if all, err = without(all, path); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return jsonobject.Append(nil, all), nil
}

// only returns the members that paths lead to.
func only(all []jsonobject.Member, paths []string) (some []jsonobject.Member, err error) {
	for _, m := range all {
		var within []string
		whole := false
		for _, path := range paths {
			whole = whole || path == m.Key
			if rest, ok := strings.CutPrefix(path, m.Key+"."); ok && jsonobject.Find(all, path) < 0 {
				within = append(within, rest)
			}
		}
		if !whole && len(within) > 0 && strings.HasPrefix(string(m.Value), "{") {
			members, err := jsonobject.Members(m.Value)
			if err != nil {
				return nil, err
			}
			if members, err = only(members, within); err != nil {
				return nil, err
			}
			m.Value = jsonobject.Append(nil, members)
			whole = len(members) > 0
		}
		if whole {
			some = append(some, m)
		}
	}
	return some, nil
}
