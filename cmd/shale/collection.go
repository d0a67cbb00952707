package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
)

const aboutCollections = `A collection is a directory of documents: an id (a number or a string), a vector,
and a payload, which is a JSON object. It may be larger than memory. What a command has written when
it ends is there after a power cut.

Documents are written as JSON lines, one a line:

  {"id": "a1", "vector": [0.1, 0.2], "payload": {"title": "On bees"}}

On the command line ID is a number or a string; a string of digits is put in double quotes: '"7"'.
One process at a time has a collection open; commands wait for each other.`

func collectionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "collection",
		Short: "Keep documents: ids, vectors and payloads",
		Long:  aboutCollections,
		Example: `  shale collection create my.docs --dim 384 --metric cosine
  shale collection import my.docs --input docs.jsonl
  shale collection query my.docs --queries queries.npy -k 5`,
	}
	c.AddCommand(
		collectionCreate(), collectionImport(), collectionGet(), collectionQuery(), collectionScroll(), collectionCount(),
		collectionFacets(), collectionUpdate(), collectionDelete(), collectionIndex(), collectionCompact(),
		collectionExport(), collectionSnapshot(), collectionRestore(),
		collectionVerify(), collectionInspect(),
	)
	return c
}

// collectionArg is the check of commands that take one collection.
func collectionArg(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name one COLLECTION, not %d", len(args))
	}
	return nil
}

// collectionAndIDs is the check of commands that take a collection and IDs.
func collectionAndIDs(_ *cobra.Command, args []string) error {
	if len(args) < 2 {
		return errors.New("name a COLLECTION and at least one ID")
	}
	return nil
}

// collectionWithIDs is the check of commands that take a collection, and IDs or a filter.
func collectionWithIDs(_ *cobra.Command, args []string) error {
	if len(args) < 1 {
		return errors.New("name a COLLECTION")
	}
	return nil
}

// parseID reads an ID of the command line.
func parseID(s string) (id collection.ID) {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return collection.NumberID(n)
	}
	if len(s) > 1 && s[0] == '"' && json.Unmarshal([]byte(s), &id) == nil {
		return id
	}
	return collection.StringID(s)
}

func parseIDs(args []string) []collection.ID {
	ids := make([]collection.ID, len(args))
	for i, s := range args {
		ids[i] = parseID(s)
	}
	return ids
}

// printLines prints documents as JSON lines.
func printLines[T any](c *cobra.Command, documents []T) error {
	for _, d := range documents {
		if err := printLine(c.OutOrStdout(), d); err != nil {
			return err
		}
	}
	return nil
}
