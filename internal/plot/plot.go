// Package plot draws what package eval measures.
package plot

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/atomicfile"
)

// Curve is a sweep over ef, of one index for example.
type Curve struct {
	Name   string // for the legend
	Points []eval.Point
}

// ErrFormat reports the name of a file that ends neither in .png nor in .svg nor in .pdf.
var ErrFormat = errors.New("plots are written as .png, .svg or .pdf")

const (
	width, height = 20 * vg.Centimeter, 13 * vg.Centimeter
	pngDPI        = 192
	sans          = "Sans"
)

// canvases make the picture of each format, by the end of a file's name.
var canvases = map[string]func() vg.CanvasWriterTo{
	".png": func() vg.CanvasWriterTo {
		return vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(pngDPI))}
	},
	".svg": func() vg.CanvasWriterTo { return vgsvg.New(width, height) },
	".pdf": func() vg.CanvasWriterTo { return vgpdf.New(width, height) },
}

func canvasFor(path string) (func() vg.CanvasWriterTo, error) {
	if canvas, ok := canvases[strings.ToLower(filepath.Ext(path))]; ok {
		return canvas, nil
	}
	return nil, fmt.Errorf("%s: %w", path, ErrFormat)
}

// Check returns an error if Draw has no format for path.
func Check(path string) error {
	_, err := canvasFor(path)
	return err
}

// Draw draws curves of queries a second, on a logarithmic axis, over recall@k, each point with its ef, and writes them
// to path in the format that its name ends in. The title may have several lines.
func Draw(path, title string, k int, curves []Curve) error {
	newCanvas, err := canvasFor(path)
	if err != nil {
		return err
	}
	p, err := newPlot(title, k, curves)
	if err != nil {
		return fmt.Errorf("plot %s: %w", path, err)
	}
	canvas := newCanvas()
	all := draw.NewCanvas(canvas, width, height)
	p.Draw(draw.Crop(all, vg.Points(8), -vg.Points(12), vg.Points(8), -vg.Points(8)))
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := canvas.WriteTo(w)
		return err
	})
}

func newPlot(title string, k int, curves []Curve) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text = fmt.Sprintf("recall@%d", k)
	p.Y.Label.Text = "queries a second"
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, speedTicks{}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = gridColor, gridColor
	p.Add(grid)
	p.Legend.Left, p.Legend.Padding = true, vg.Points(3) // below falling curves
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(6), vg.Points(6)
	for _, s := range []*text.Style{
		&p.Title.TextStyle, &p.Legend.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label,
	} {
		s.Font.Variant = sans
	}

	curves = drawable(curves)
	if len(curves) == 0 {
		return nil, errors.New("there is nothing to draw: no point has a speed above 0")
	}
	for i, c := range curves {
		if err := addCurve(p, c, i, len(curves) > 1); err != nil {
			return nil, err
		}
	}
	frame(p, curves)
	return p, nil
}

// drawable leaves out points that have no place on a logarithmic axis, and sorts the curves, the fastest first.
func drawable(curves []Curve) []Curve {
	var all []Curve
	for _, c := range curves {
		c.Points = slices.DeleteFunc(slices.Clone(c.Points), func(x eval.Point) bool { return !(x.QPS > 0) })
		if len(c.Points) > 0 {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b Curve) int {
		if fastest(a) > fastest(b) {
			return -1
		}
		return 1
	})
	return all
}

func fastest(c Curve) float64 {
	return slices.MaxFunc(c.Points, func(a, b eval.Point) int {
		if a.QPS < b.QPS {
			return -1
		}
		return 1
	}).QPS
}

var (
	gridColor = color.Gray{Y: 0xe2}
	// curveColors are told apart by people who don't see all colours (Okabe and Ito).
	curveColors = []color.Color{
		color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
		color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, color.RGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
		color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}, color.RGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff},
		color.RGBA{A: 0xff},
	}
	curveShapes = []draw.GlyphDrawer{
		draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{},
	}
)

// addCurve draws the curve with the number i, counted from the fastest on.
func addCurve(p *plot.Plot, c Curve, i int, legend bool) error {
	at := make(plotter.XYs, len(c.Points))
	names := make([]string, len(c.Points))
	for j, x := range c.Points {
		at[j] = plotter.XY{X: x.Recall, Y: x.QPS}
		names[j] = "ef " + strconv.Itoa(x.Ef)
	}
	line, dots, err := plotter.NewLinePoints(at)
	if err != nil {
		return err
	}
	ink := curveColors[i%len(curveColors)]
	line.Color, line.Width = ink, vg.Points(1.8)
	dots.Color, dots.Shape, dots.Radius = ink, curveShapes[i%len(curveShapes)], vg.Points(3.2)
	labels, err := newLabels(at, names, ink, i == 0)
	if err != nil {
		return err
	}
	p.Add(line, dots, labels)
	if legend {
		p.Legend.Add(c.Name, line, dots)
	}
	return nil
}

// frame leaves room around the points for their labels.
func frame(p *plot.Plot, curves []Curve) {
	low, high := 1.0, 0.0
	slowest, quickest := curves[0].Points[0].QPS, 0.0
	for _, c := range curves {
		for _, x := range c.Points {
			low, high = min(low, x.Recall), max(high, x.Recall)
			slowest, quickest = min(slowest, x.QPS), max(quickest, x.QPS)
		}
	}
	room := max((high-low)*0.12, 0.005)
	p.X.Min, p.X.Max = max(low-room, 0), high+room
	p.Y.Min, p.Y.Max = slowest/1.3, quickest*1.3
}
