package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

// updateFlags say what to change of documents.
type updateFlags struct {
	set, payload string
	unset        []string
	clear        bool
	vector       string
	drop         []string
}

func (f *updateFlags) add(c *cobra.Command) {
	s := c.Flags()
	s.StringVar(&f.set, "set", "", "add the keys of the object `JSON` to payloads, or replace those there")
	s.StringArrayVar(&f.unset, "unset", nil, "remove the key `KEY` of payloads, as in city or address.city")
	s.StringVar(&f.payload, "replace-payload", "", "put the object `JSON` in the place of payloads")
	s.BoolVar(&f.clear, "clear", false, "remove payloads")
	s.StringVar(&f.vector, "set-vector", "",
		"put the vector `JSON` in the place of that of the document: an array, or an object of arrays by names")
	s.StringArrayVar(&f.drop, "drop-vector", nil, "remove the vector `NAME`; documents keep at least one")
}

// update returns the change.
func (f *updateFlags) update(c *cobra.Command) (u collection.Update, err error) {
	u = collection.Update{Clear: f.clear, Unset: f.unset, DropVectors: f.drop}
	for _, x := range []struct{ name, value string }{
		{"set", f.set}, {"replace-payload", f.payload}, {"set-vector", f.vector},
	} {
		if c.Flags().Changed(x.name) && !json.Valid([]byte(x.value)) {
			return u, usagef(c, "--%s %.60s is not valid JSON", x.name, x.value)
		}
	}
	u.Set, u.Payload = json.RawMessage(f.set), json.RawMessage(f.payload)
	if f.vector == "" {
		return u, nil
	}
	var one []float32
	if json.Unmarshal([]byte(f.vector), &one) == nil && one != nil {
		u.Vector = one
		return u, nil
	}
	if err := json.Unmarshal([]byte(f.vector), &u.Vectors); err != nil || len(u.Vectors) == 0 {
		return u, usagef(c, "--set-vector %.60s is neither an array of numbers nor an object of them", f.vector)
	}
	return u, nil
}

func collectionUpdate() *cobra.Command {
	var f updateFlags
	var filter filterFlag
	var at openFlags
	c := &cobra.Command{
		Use:   "update COLLECTION ID...",
		Short: "Change payloads and vectors of documents",
		Long: `Update makes the same change to documents, by their ids or by a filter, and prints how many there were.
What it doesn't name stays as it is. A change of payloads alone writes no vectors.

` + aboutFilters,
		Example: `  shale collection update my.docs a1 7 --set '{"read": true}' --unset draft
  shale collection update my.docs --set '{"sale": true}' ` + filterExample + `
  shale collection update my.docs a1 --set-vector '[0.1, 0.2]'`,
		Args: collectionWithIDs,
	}
	f.add(c)
	filter.add(c, "change the documents that")
	at.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := oneChoice(c, &filter, args[1:]); err != nil {
			return err
		}
		u, err := f.update(c)
		if err != nil {
			return err
		}
		return withCollection(c, &at, args[0], func(x *collection.Collection) (err error) {
			n := 0
			if filter.given {
				n, err = x.UpdateWhere(c.Context(), filter.parsed, u)
			} else {
				n, err = x.Update(c.Context(), updatesOf(u, args[1:]))
			}
			if err != nil {
				return err
			}
			return tell(c, false, nil, "%s: %s updated", args[0], many(n, "document"))
		})
	}
	return c
}

// updatesOf returns the same change of documents with some IDs, each of which is named once.
func updatesOf(u collection.Update, args []string) (all []collection.Update) {
	seen := map[collection.ID]bool{}
	for _, id := range parseIDs(args) {
		if !seen[id] {
			u.ID = id
			all = append(all, u)
		}
		seen[id] = true
	}
	return all
}
