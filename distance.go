package shale

import (
	"errors"
	"fmt"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

// checkDistance tests a function given as the distance of an index of the given metric, and its name.
func checkDistance(distance func(a, b []float32) float32, name string, metric vector.Metric) error {
	switch {
	case distance == nil && name != "":
		return fmt.Errorf("the distance %q is named, and its function isn't given: set Distance", name)
	case distance == nil && metric == score.Custom:
		return errors.New("the metric is custom: set Distance to the function that computes it")
	case distance == nil:
		return nil
	case name == "":
		return errors.New("a Distance needs a name, by which it is told from others when the index is opened: " +
			"set DistanceName")
	case metric != vector.L2 && metric != score.Custom:
		return fmt.Errorf("a Distance takes the place of a metric, and %v is given too: leave out one of them", metric)
	}
	return hnsw.CheckCustomName(name)
}

// checkDistance refuses options that don't go with a Distance.
func (o *BuildOptions) checkDistance() error {
	if err := checkDistance(o.Distance, o.DistanceName, o.Metric); err != nil || o.Distance == nil {
		return err
	}
	switch {
	case o.Codes != "" && o.Codes != Float32 && o.Codes != Float16:
		return fmt.Errorf("codes (%s) can't estimate a Distance: leave out Codes, or set Float32 or Float16", o.Codes)
	case o.Rows == RowsSQ8 || o.Rows == RowsNone:
		return fmt.Errorf("rows of type %s go with codes, which can't estimate a Distance: leave out Rows", o.Rows)
	case o.Shards > 1 || o.Blocks:
		return errors.New("an index with a Distance is one graph: leave out Shards and Blocks")
	}
	return nil
}

// checkDistance refuses a Distance for an index whose format says or implies its metric.
func (o *OpenOptions) checkDistance(format Format) error {
	if err := checkDistance(o.Distance, o.DistanceName, o.Metric); err != nil || o.Distance == nil {
		return err
	}
	if format == Graph || format == ForkShards {
		return fmt.Errorf("a %s isn't searched by a Distance: leave it out", format)
	}
	return nil
}
