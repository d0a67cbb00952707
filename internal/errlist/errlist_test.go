package errlist

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestTheFirstAreTold(t *testing.T) {
	var l List
	if l.Add(nil); l.Err() != nil || l.Len() != 0 {
		t.Fatal(l.Err())
	}
	for i := range most + 2 {
		l.Add(fmt.Errorf("number %d: %w", i, io.EOF))
		err := l.Err()
		if !errors.Is(err, io.EOF) || l.Len() != i+1 {
			t.Fatal(err)
		}
		lines := strings.Split(err.Error(), "\n")
		if want := min(i+1, most); !strings.HasPrefix(lines[want-1], fmt.Sprintf("number %d:", want-1)) {
			t.Fatal(err)
		}
		if i >= most && (len(lines) != most+1 || lines[most] != fmt.Sprintf("and %d more", i+1-most)) {
			t.Fatal(err)
		}
	}
}
