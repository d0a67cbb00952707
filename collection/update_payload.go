package collection

import (
	"slices"
	"strings"

	"github.com/shale-search/shale/internal/jsonobject"
)

// edited returns a payload, which may be nil, without the keys of unset and with the members of set. It returns nil if
// none are left.
func edited(payload []byte, unset []string, set []jsonobject.Member) ([]byte, error) {
	var all []jsonobject.Member
	if payload != nil {
		var err error
		if all, err = jsonobject.Members(payload); err != nil {
			return nil, err
		}
	}
	for _, path := range unset {
		var err error
		if all, err = without(all, path); err != nil {
			return nil, err
		}
	}
	for _, m := range set {
		if at := jsonobject.Find(all, m.Key); at >= 0 {
			all[at].Value = m.Value
			continue
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return jsonobject.Append(nil, all), nil
}

// without returns members without the one that a path leads to. It changes all.
func without(all []jsonobject.Member, path string) ([]jsonobject.Member, error) {
	if at := jsonobject.Find(all, path); at >= 0 {
		return slices.Delete(all, at, at+1), nil
	}
	for end := range len(path) {
		if path[end] != '.' {
			continue
		}
		at := jsonobject.Find(all, path[:end])
		if at < 0 || !strings.HasPrefix(string(all[at].Value), "{") {
			continue
		}
		within, err := jsonobject.Members(all[at].Value)
		if err != nil {
			return nil, err
		}
		if within, err = without(within, path[end+1:]); err != nil {
			return nil, err
		}
		all[at].Value = jsonobject.Append(nil, within)
	}
	return all, nil
}
