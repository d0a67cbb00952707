package plot_test

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/eval/plot"
)

func TestSweepDrawsAPicture(t *testing.T) {
	for name, points := range map[string][]eval.Point{
		"several": {{Ef: 10, Recall: 0.8, QPS: 9000}, {Ef: 50, Recall: 0.97, QPS: 3000}},
		"one":     {{Ef: 10, Recall: 1, QPS: 9000}},
	} {
		path := filepath.Join(t.TempDir(), "p.png")
		if err := plot.Sweep(path, name, 10, points); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		picture, err := png.Decode(f)
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
	if err := plot.Sweep(filepath.Join(t.TempDir(), "none", "p.png"), "", 10, []eval.Point{{Ef: 1, Recall: 1, QPS: 1}}); err == nil {
		t.Error("a picture in no directory")
	}
}
