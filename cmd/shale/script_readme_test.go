package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// readme HEADING runs the commands in a section of README.md, line by line.
func readme(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	ts.Check(err)
	_, section, found := strings.Cut(string(text), "\n## "+args[0]+"\n")
	if !found {
		ts.Fatalf("README.md has no section %q", args[0])
	}
	section, _, _ = strings.Cut(section, "\n## ")
	lines := shellLines(section)
	if len(lines) == 0 {
		ts.Fatalf("section %q of README.md shows no commands", args[0])
	}
	for _, line := range lines {
		words := shellWords(line)
		ts.Logf("README.md: %s", line)
		ts.Check(ts.Exec(words[0], words[1:]...))
	}
}

// shellWords divides a line at spaces that aren't between single quotes.
func shellWords(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// shellLines returns the lines of the fenced blocks of shell commands in text, without their comments.
func shellLines(text string) (lines []string) {
	shell := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			shell = strings.TrimSpace(line) == "```sh"
			continue
		}
		command, _, _ := strings.Cut(line, " #")
		if shell && strings.TrimSpace(command) != "" {
			lines = append(lines, strings.TrimSpace(command))
		}
	}
	return lines
}
