package plot_test

import (
	"bytes"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/plot"
)

var (
	slow = plot.Curve{Name: "exact rows", Points: []eval.Point{{Ef: 10, Recall: 0.83, QPS: 900},
		{Ef: 50, Recall: 0.98, QPS: 300}}}
	fast = plot.Curve{Name: "codes", Points: []eval.Point{{Ef: 10, Recall: 0.8, QPS: 9000},
		{Ef: 50, Recall: 0.97, QPS: 3000}}}
	one = plot.Curve{Name: "one", Points: []eval.Point{{Ef: 10, Recall: 1, QPS: 9000}}}
)

func drawn(t *testing.T, name string, curves ...plot.Curve) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := plot.Draw(path, "1,000 × 8\na machine", 10, curves); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDrawMakesAPicture(t *testing.T) {
	for name, curves := range map[string][]plot.Curve{"two": {slow, fast}, "one": {fast}, "a point": {one}} {
		picture, err := png.Decode(bytes.NewReader(drawn(t, "p.png", curves...)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		colours := map[any]bool{}
		for x := range picture.Bounds().Dx() {
			for y := range picture.Bounds().Dy() {
				colours[picture.At(x, y)] = true
			}
		}
		if len(colours) < 10 {
			t.Errorf("%s: nothing is drawn", name)
		}
	}
}

// TestDrawSaysWhatItShows reads the text of an SVG.
func TestDrawSaysWhatItShows(t *testing.T) {
	svg := string(drawn(t, "p.SVG", slow, fast))
	for _, want := range []string{
		"1,000 × 8", "a machine", "recall@10", "queries a second", "exact rows", "codes", "ef 10", "ef 50",
		">500<", ">1,000<", ">2,000<", ">5,000<", // of a logarithmic axis
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q isn't written in the plot", want)
		}
	}
	if svg := string(drawn(t, "p.svg", fast)); strings.Contains(svg, "codes") {
		t.Error("a legend of one curve")
	}
}

func TestDrawWritesPDF(t *testing.T) {
	if b := drawn(t, "p.pdf", fast); !bytes.HasPrefix(b, []byte("%PDF-")) {
		t.Errorf("it begins with %q", b[:min(8, len(b))])
	}
}

func TestDrawRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := plot.Draw(filepath.Join(dir, "none", "p.png"), "", 10, []plot.Curve{fast}); err == nil {
		t.Error("a picture in no directory")
	}
	for _, name := range []string{"p.gif", "p", "png"} {
		path := filepath.Join(dir, name)
		if err := plot.Draw(path, "", 10, []plot.Curve{fast}); !errors.Is(err, plot.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if err := plot.Check(path); !errors.Is(err, plot.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, curves := range [][]plot.Curve{nil, {{Name: "empty"}}, {{Points: []eval.Point{{Ef: 1, Recall: 1}}}}} {
		if err := plot.Draw(filepath.Join(dir, "p.png"), "", 10, curves); err == nil {
			t.Errorf("%v was drawn", curves)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Error(files, err)
	}
}
