package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale/internal/collection"
)

// fieldFlags say what to print of documents.
type fieldFlags struct{ noPayload, vectors bool }

func (f *fieldFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.vectors, "with-vectors", false, "print vectors too")
	c.Flags().BoolVar(&f.noPayload, "without-payload", false, "print ids alone, or ids and vectors")
}

func (f *fieldFlags) fields() collection.Fields {
	return collection.Fields{Payload: !f.noPayload, Vectors: f.vectors}
}
