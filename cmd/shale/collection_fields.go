package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

// fieldFlags say what to print of documents.
type fieldFlags struct {
	noPayload, vectors bool
	include, exclude   []string
}

func (f *fieldFlags) add(c *cobra.Command) {
	s := c.Flags()
	s.BoolVar(&f.vectors, "with-vectors", false, "print vectors too")
	s.BoolVar(&f.noPayload, "without-payload", false, "print ids alone, or ids and vectors")
	s.StringArrayVar(&f.include, "include", nil, "print only the key `KEY` of payloads, as in city or address.city")
	s.StringArrayVar(&f.exclude, "exclude", nil, "don't print the key `KEY` of payloads")
}

func (f *fieldFlags) fields() collection.Fields {
	return collection.Fields{Payload: !f.noPayload, Vectors: f.vectors, Include: f.include, Exclude: f.exclude}
}
