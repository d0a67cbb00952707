package payload

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// mostWordBytes is where longer words are cut off.
const mostWordBytes = 64

// eachWord calls fn with the words of a text in lower case: its letters and digits without what is between them.
func eachWord(text string, fn func(word string)) {
	isBetween := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) }
	for word := range strings.FieldsFuncSeq(text, isBetween) {
		word = strings.ToLower(word)
		if len(word) > mostWordBytes {
			end := mostWordBytes
			for !utf8.RuneStart(word[end]) {
				end--
			}
			word = word[:end]
		}
		fn(word)
	}
}

// wordsOf returns the words of a text, each once.
func wordsOf(text string) (words []string) {
	seen := map[string]bool{}
	eachWord(text, func(word string) {
		if !seen[word] {
			seen[word] = true
			words = append(words, word)
		}
	})
	return words
}

var timeForms = []string{
	time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02",
}

// parseTime returns the microseconds since 1970 of a time as Range describes it.
func parseTime(s string) (Number, bool) {
	if len(s) < len("2006-01-02") || s[0] < '0' || s[0] > '9' || s[4] != '-' {
		return Number{}, false
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, s); err == nil {
			return numberOfInt(t.UnixMicro()), true
		}
	}
	return Number{}, false
}
