package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// step is one operation of a runbook. Rows from Start to End - 1 are those of the file of vectors; their numbers name
// the documents.
type step struct {
	Operation string `yaml:"operation"` // insert, delete or search
	Start     int    `yaml:"start,omitempty"`
	End       int    `yaml:"end,omitempty"`
}

// readBook reads the steps of a file that holds one runbook: under the name of a data set the steps by their numbers,
// from 1, beside other settings.
func readBook(path string) ([]step, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var books map[string]map[string]yaml.Node
	if err := yaml.Unmarshal(text, &books); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(books) != 1 {
		return nil, fmt.Errorf("%s: it has the runbooks of %d data sets, not of one", path, len(books))
	}
	for _, book := range books {
		steps, err := stepsOf(book)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return steps, nil
	}
	return nil, nil
}

func stepsOf(book map[string]yaml.Node) ([]step, error) {
	var numbers []int
	for key := range book {
		if n, err := strconv.Atoi(key); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	steps := make([]step, len(numbers))
	for i, n := range numbers {
		node := book[strconv.Itoa(n)]
		if err := node.Decode(&steps[i]); err != nil {
			return nil, fmt.Errorf("step %d: %w", n, err)
		}
		switch s := steps[i]; s.Operation {
		case "search":
		case "insert", "delete":
			if s.Start < 0 || s.End <= s.Start {
				return nil, fmt.Errorf("step %d: rows %d to %d", n, s.Start, s.End)
			}
		default:
			return nil, fmt.Errorf("step %d: the operation %q is not insert, delete or search", n, s.Operation)
		}
	}
	return steps, nil
}

// writeBook writes a runbook.
func writeBook(path, name string, rows int, steps []step) error {
	if len(steps) == 0 {
		return fmt.Errorf("a runbook of %d rows has no steps", rows)
	}
	book := map[string]any{"max_pts": rows}
	for i, s := range steps {
		book[strconv.Itoa(i+1)] = s
	}
	text, err := yaml.Marshal(map[string]any{name: book})
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o666)
}
