package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/payload"
)

// aboutFilters is the part of a help that explains --filter.
const aboutFilters = `A filter is JSON: keys of payloads with the values that they must have, or with operators: $eq,
$ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $and, $or, $not. Or it is conditions as Qdrant has them:
must, should, must_not. It is given on the command line or in a file, as @FILE.`

const filterExample = `--filter '{"city": "London", "price": {"$lt": 20}}'`

// filterFlag is a filter of documents.
type filterFlag struct {
	text   string
	given  bool
	parsed collection.Filter
}

func (f *filterFlag) add(c *cobra.Command, usage string) {
	c.Flags().StringVar(&f.text, "filter", "", usage+" the filter `JSON` holds for, or the one in @FILE")
}

func (f *filterFlag) parse(c *cobra.Command) error {
	if !c.Flags().Changed("filter") {
		return nil
	}
	text := []byte(f.text)
	if file, ok := strings.CutPrefix(f.text, "@"); ok {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return err
		}
	}
	parsed, err := collection.ParseFilter(text)
	if err != nil {
		return usagef(c, "--filter: %w", err)
	}
	f.given, f.parsed = true, parsed
	return nil
}

// parseIndexes reads indexes of payloads, as FIELD=KIND.
func parseIndexes(c *cobra.Command, flag string, all []string) (indexes []collection.PayloadIndex, err error) {
	for _, s := range all {
		at := strings.LastIndexByte(s, '=')
		if at < 1 || payload.Kind(s[at+1:]).Check() != nil {
			return nil, usagef(c, "--%s %s is not FIELD=KIND with a kind of keyword, integer, float, bool, datetime, "+
				"uuid or text", flag, s)
		}
		indexes = append(indexes, collection.PayloadIndex{Field: s[:at], Kind: collection.IndexKind(s[at+1:])})
	}
	return indexes, nil
}
