// Package plot draws what package eval measures.
package plot

import (
	"fmt"
	"image/color"
	"io"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/atomicfile"
)

var lineColor = color.RGBA{R: 0x1f, G: 0x5f, B: 0xa8, A: 0xff}

// Sweep writes a PNG of queries a second over recall@k, each point with its ef.
func Sweep(path, title string, k int, points []eval.Point) error {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(6)
	p.X.Label.Text = fmt.Sprintf("recall@%d", k)
	p.Y.Label.Text = "queries a second"
	p.Add(plotter.NewGrid())

	at := make(plotter.XYs, len(points))
	names := make([]string, len(points))
	for i, x := range points {
		at[i] = plotter.XY{X: x.Recall, Y: x.QPS}
		names[i] = "ef " + strconv.Itoa(x.Ef)
	}
	line, dots, err := plotter.NewLinePoints(at)
	if err != nil {
		return fmt.Errorf("plot %s: %w", path, err)
	}
	line.Color, line.Width = lineColor, vg.Points(1.5)
	dots.Color, dots.Shape, dots.Radius = lineColor, draw.CircleGlyph{}, vg.Points(3)
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: at, Labels: names})
	if err != nil {
		return fmt.Errorf("plot %s: %w", path, err)
	}
	labels.Offset = vg.Point{X: vg.Points(6), Y: vg.Points(5)}
	p.Add(line, dots, labels)
	frame(p, points)
	return write(path, p)
}

// frame leaves room around the points: the speed starts from 0, so that curves can be compared by eye.
func frame(p *plot.Plot, points []eval.Point) {
	low, high, fastest := 1.0, 0.0, 0.0
	for _, x := range points {
		low, high, fastest = min(low, x.Recall), max(high, x.Recall), max(fastest, x.QPS)
	}
	room := max((high-low)*0.15, 0.005)
	p.X.Min, p.X.Max = max(low-room/3, 0), high+room
	p.Y.Min, p.Y.Max = 0, fastest*1.1
}

func write(path string, p *plot.Plot) error {
	canvas := vgimg.NewWith(vgimg.UseWH(18*vg.Centimeter, 12*vg.Centimeter), vgimg.UseDPI(144))
	p.Draw(draw.Crop(draw.New(canvas), vg.Points(8), -vg.Points(12), vg.Points(8), -vg.Points(8)))
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
		return err
	})
}
