package plot

import (
	"image/color"
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// speedTicks marks a logarithmic axis: one to nine times each power of ten has a tick, and as many of these a number as
// the range has room for.
type speedTicks struct{}

// Ticks implements plot.Ticker.
func (speedTicks) Ticks(low, high float64) []plot.Tick {
	numbered := map[int]bool{1: true}
	if high/low < 1000 {
		numbered[2], numbered[5] = true, true
	}
	if high/low < 5 {
		numbered[3], numbered[4], numbered[7] = true, true, true
	}
	var ticks []plot.Tick
	for power := math.Floor(math.Log10(low)); power <= math.Ceil(math.Log10(high)); power++ {
		for times := 1; times <= 9; times++ {
			value := float64(times) * math.Pow(10, power)
			if value < low || value > high {
				continue
			}
			tick := plot.Tick{Value: value}
			if numbered[times] {
				tick.Label = speed(value)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}

func speed(v float64) string {
	if v < 1 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return humanize.Comma(int64(math.Round(v)))
}

// labels writes a text beside each point, on white, so that lines that pass behind it don't make it illegible.
type labels struct {
	*plotter.Labels
}

// newLabels places labels above and right of the points of a falling curve or, where faster curves lie there, below and
// left of them.
func newLabels(at plotter.XYs, names []string, ink color.Color, above bool) (*labels, error) {
	l, err := plotter.NewLabels(plotter.XYLabels{XYs: at, Labels: names})
	if err != nil {
		return nil, err
	}
	const gap = 5
	l.Offset = vg.Point{X: vg.Points(gap), Y: vg.Points(gap)}
	for i := range l.TextStyle {
		s := &l.TextStyle[i]
		s.Color, s.Font.Size, s.Font.Variant = ink, vg.Points(9), sans
		if !above {
			s.XAlign, s.YAlign = text.XRight, text.YTop
		}
	}
	if !above {
		l.Offset = vg.Point{X: -vg.Points(gap), Y: -vg.Points(gap)}
	}
	return &labels{l}, nil
}

// Plot implements plot.Plotter.
func (l *labels) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	c.SetColor(color.White)
	for i, name := range l.Labels.Labels {
		box := l.TextStyle[i].Rectangle(name)
		box = box.Add(vg.Point{X: x(l.XYs[i].X), Y: y(l.XYs[i].Y)}.Add(l.Offset))
		c.Fill(box.Path())
	}
	l.Labels.Plot(c, p)
}
