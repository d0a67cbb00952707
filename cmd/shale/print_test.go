package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/shale-search/shale/eval"
)

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567",
		-1234: "-1,234", -123: "-123"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) is %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{5: "5 bytes", 2048: "2.0 KiB", 3 << 30: "3.0 GiB", 5 << 50: "5120.0 TiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) is %s, want %s", n, got, want)
		}
	}
	for want, got := range map[string]string{"0 queries": many(0, "query"), "1 query": many(1, "query"),
		"2 rows": many(2, "row"), "1,000 queries": many(1000, "query")} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := clip("žluťoučký", 5); got != "žluť…" {
		t.Error(got)
	}
}

func TestDemoReport(t *testing.T) {
	r := demoReport{
		Rows: 9500, Dim: 384, Queries: 500, Points: []eval.Point{{Ef: 10, Recall: 0.9, QPS: 12345}},
		Examples: []demoAnswer{{"dog: an animal", []demoNear{{0.25, "cat: another"}}}},
	}
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"dog: an animal\n  0.250  cat: another\n",
		"0.9000      12,345", "Princeton University"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q isn't in\n%s", want, b.String())
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestPrintingFails(t *testing.T) {
	if err := (&demoReport{}).print(fullDisk{}); err == nil {
		t.Error("a table that was not printed")
	}
	if err := printJSON(fullDisk{}, 1); err == nil {
		t.Error("JSON that was not printed")
	}
}
