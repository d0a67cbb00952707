package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestRunReportsEveryBlockOnBothKindsOfPages(t *testing.T) {
	var b strings.Builder
	if err := run(&b, 4, "64,400", time.Millisecond, true); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal([]byte(b.String()), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Figures) != 4 {
		t.Fatalf("%d figures, want 4", len(r.Figures))
	}
	for _, f := range r.Figures {
		if f.Nanos <= 0 || f.GBPerSec <= 0 || f.Method == "" {
			t.Errorf("empty figure %+v", f)
		}
	}
}

func TestParseSizesRefuses(t *testing.T) {
	for _, list := range []string{"", "3", "x", "64,", "8388608"} {
		if _, err := parseSizes(list, 4); err == nil {
			t.Errorf("%q was taken", list)
		}
	}
}
