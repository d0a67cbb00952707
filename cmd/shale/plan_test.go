package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/vector"
)

// shale build --plan prints what the library plans, and shale build builds that.
func TestPlanOfTheCommandIsTheLibrarys(t *testing.T) {
	race.SkipSequential(t)
	dir := t.TempDir()
	input := filepath.Join(dir, "rows.npy")
	writeRandom(t, input, 3500, 64)
	for i, c := range []struct{ flags, output string }{
		{"--metric l2", "a"},
		{"--metric l2 --memory 97.25MiB", "b"},
		{"--metric cosine --memory 97.25MiB", "c"},
		{"--metric ip --shards 3 --copies 1.5", "d"},
		{"--metric cosine --memory 200MiB", "e"},
		{"--metric l2 --storage rabitq4 --keep fp32 --blocks", "f"},
		{"--metric l2", "g.shale"},
		{"--metric l2 --live 4000 --memory 200MiB", "h"},
		{"--metric l2 --external --memory 200MiB", "i"},
	} {
		args := append([]string{"build", "--input", input, "--output", filepath.Join(dir, c.output), "--m", "6",
			"--ef-construction", "20", "--threads", "2", "--json"}, strings.Fields(c.flags)...)
		plan := planReport{Plan: &shale.Plan{}}
		runJSON(t, append(args, "--plan"), &plan)
		var built buildReport
		runJSON(t, args, &built)
		if plan.Shards != built.Shards || plan.Codes != built.Storage || plan.Rows != built.Keep ||
			plan.CodesWhy != built.Why {
			t.Errorf("%d: planned %+v, built %+v", i, plan.Plan, built)
		}
		want := libraryPlan(t, input, args[1:])
		if got, own := fmt.Sprintf("%+v", exported(plan.Plan)), fmt.Sprintf("%+v", exported(want)); got != own {
			t.Errorf("%d: the command plans\n%s, the library\n%s", i, got, own)
		}
	}
}

// libraryPlan is the plan by the library of what flags ask for.
func libraryPlan(t *testing.T, input string, args []string) *shale.Plan {
	t.Helper()
	f := &buildFlags{}
	c := f.command()
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	o, err := f.options(c)
	if err == nil {
		err = f.divide.options(c, &o)
	}
	if err != nil {
		t.Fatal(err)
	}
	var src shale.Source
	if o.External {
		src, err = datafile.ReadAll(input)
	} else {
		src, err = datafile.Open(input)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := shale.NewPlan(t.Context(), src, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// exported is the JSON form of a plan.
func exported(p *shale.Plan) string {
	b, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// runJSON runs the command and decodes what it prints.
func runJSON(t *testing.T, args []string, into any) {
	t.Helper()
	var out, messages bytes.Buffer
	if code := run(t.Context(), args, &out, &messages); code != exitDone {
		t.Fatalf("%v: %d, %s", args, code, messages.String())
	}
	if err := json.Unmarshal(out.Bytes(), into); err != nil {
		t.Fatalf("%v: %v in %s", args, err, out.String())
	}
}

// writeRandom writes a file of random vectors.
func writeRandom(t *testing.T, path string, rows, dim int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	values := make([]float32, rows*dim)
	for i := range values {
		values[i] = float32(rnd.NormFloat64())
	}
	m, err := vector.Of(values, dim)
	if err != nil {
		t.Fatal(err)
	}
	put := func(put func(vector.Matrix) error) error { return put(m) }
	if err := datafile.Write(path, m.Type(), dim, put); err != nil {
		t.Fatal(err)
	}
}
