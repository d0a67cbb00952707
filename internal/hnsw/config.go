// Package hnsw is the graph index: Hierarchical Navigable Small World graphs (Malkov & Yashunin, TPAMI 2020) that grow
// while they are searched, frozen graphs laid out for speed, and exact search over the same rows.
package hnsw

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

// Errors that a caller can act on; they come wrapped with the label, the count or the dimension in question.
var (
	ErrClosed          = errors.New("index is closed")
	ErrNotFinite       = score.ErrNotFinite
	ErrTooLarge        = score.ErrTooLarge
	ErrFull            = errors.New("the number of elements exceeds the specified limit")
	ErrLabel           = errors.New("label not found")
	ErrDeleted         = errors.New("label is already deleted")
	ErrNotDeleted      = errors.New("label is not deleted")
	ErrReplaceDisabled = errors.New("replacing deleted elements is not enabled")
	ErrUpdateDeleted   = errors.New("a deleted element can't be updated while deleted elements may be replaced")
	ErrFrozen          = errors.New("index is read-only")
	ErrTooFew          = errors.New("fewer results than asked for")
	ErrNoRows          = errors.New("the index is external: its vectors are to be attached")
	ErrExternal        = errors.New("the rows of the index lie elsewhere")
)

// Config describes an index. Zero fields have the defaults given below.
type Config struct {
	Dim    int           // elements a vector; required
	Metric vector.Metric // default L2, or score.Custom with Custom
	// Custom computes distances in place of a metric. CustomName names it in files, which don't hold the function.
	Custom     score.DistanceFunc `json:"-"`
	CustomName string             `json:",omitempty"`

	M              int    // links of a new element a level above 0, 2 … 10,000; default 16
	BaseLinks      int    // links of a new element on level 0, M … 2·M; default 1.5·M; M is hnswlib's way
	EfConstruction int    // candidates kept while building; default 200, at least M
	Seed           uint64 // of the level generator; default 100
	// Storage is that of the rows: Float32, Float16, ScaledInt8; NoRows, where distances come from Codes alone; or
	// External, where they lie elsewhere and are attached: see Index.Attach.
	Storage vector.Type
	Codes   Codes // that walks read instead of rows; not with a Custom metric
	// Quantizer makes the codes of product quantization, as Codes asks for it. Default: one that is trained on the first
	// rows added, and, where rows are kept, again when codes lose much more of the rows that there are by then.
	Quantizer *pq.Quantizer `json:"-"`

	Capacity      int  // rows to make room for at once
	FixedCapacity bool // refuse more rows than Capacity with ErrFull, instead of growing
	ReplaceDelete bool // allow AddOptions.ReplaceDeleted
}

func (c Config) withDefaults() (Config, error) {
	if c.M == 0 {
		c.M = 16
	}
	if c.BaseLinks == 0 {
		c.BaseLinks = c.M + c.M/2
	}
	if c.EfConstruction == 0 {
		c.EfConstruction = 200
	}
	if c.Seed == 0 {
		c.Seed = 100
	}
	c.EfConstruction = max(c.EfConstruction, c.M)
	if err := c.checkCustom(); err != nil {
		return c, err
	}
	if c.Custom != nil {
		c.Metric = score.Custom
	}
	switch {
	case c.Dim < 1 || c.Dim > 1<<20:
		return c, fmt.Errorf("%w: dim is %d, not 1 … %d", vector.ErrDim, c.Dim, 1<<20)
	case c.M < 2 || c.M > 10000:
		return c, fmt.Errorf("hnsw: M is %d, not 2 … 10,000", c.M)
	case c.BaseLinks < c.M || c.BaseLinks > 2*c.M:
		return c, fmt.Errorf("hnsw: BaseLinks is %d, not M … 2·M, %d … %d", c.BaseLinks, c.M, 2*c.M)
	case c.EfConstruction < 0 || c.EfConstruction > 1<<24:
		return c, fmt.Errorf("hnsw: efConstruction is %d, not 1 … %d", c.EfConstruction, 1<<24)
	case c.Capacity < 0 || c.Capacity > maxRows:
		return c, fmt.Errorf("hnsw: capacity is %d, not 0 … %d", c.Capacity, maxRows)
	case c.Metric > score.Custom:
		return c, fmt.Errorf("hnsw: unknown metric %v", c.Metric)
	}
	if err := c.checkCodes(); err != nil {
		return c, err
	}
	c.Codes = c.Codes.withDefaults(c.Dim)
	switch c.Storage {
	case vector.Float32, vector.Float16, rowtype.ScaledInt8:
	case rowtype.NoRows:
		if c.Codes.Bits == 0 {
			return c, errors.New("hnsw: without rows there must be codes")
		}
	case rowtype.External:
		if c.ReplaceDelete {
			return c, fmt.Errorf("hnsw: deleted elements can't be replaced: %w", ErrExternal)
		}
	default:
		return c, fmt.Errorf("hnsw: rows can't be stored as %s", c.Storage)
	}
	return c, nil
}

// Check returns an error if the configuration isn't valid.
func (c Config) Check() error {
	_, err := c.withDefaults()
	return err
}

// MaxCustomName is the number of bytes that a file has for the name of a custom metric.
const MaxCustomName = 64

// checkCustom tests what is said of a custom metric.
func (c *Config) checkCustom() error {
	switch {
	case c.Custom == nil && (c.Metric == score.Custom || c.CustomName != ""):
		return errors.New("hnsw: a custom metric needs its function")
	case c.Custom != nil && c.Metric != vector.L2 && c.Metric != score.Custom:
		return fmt.Errorf("hnsw: the metric is %v, and a custom one is given too: leave out one of them", c.Metric)
	}
	return CheckCustomName(c.CustomName)
}

// CheckCustomName returns an error for a name that files don't hold: one that is too long or can't be printed.
func CheckCustomName(name string) error {
	switch {
	case len(name) > MaxCustomName:
		return fmt.Errorf("the name of a custom metric has %d bytes, more than %d", len(name), MaxCustomName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%q is the name of a custom metric, and can't be printed", name)
	}
	return nil
}

// keepsRows reports whether there are rows beside the codes, if any.
func (c *Config) keepsRows() bool { return c.Storage != rowtype.NoRows }

// external reports whether the rows lie elsewhere.
func (c *Config) external() bool { return c.Storage == rowtype.External }

// scalable reports whether distances are at least 0, so that a multiple of one means something.
func (c *Config) scalable() bool { return c.Metric != vector.IP && c.Custom == nil }

// newLinks returns the number of links that a new element takes on a level, at most.
//
// The paper (and hnswlib) takes M on each. Lists of level 0 have room for 2M, and more of it used from the start, as
// faiss does, finds more at the same ef; beyond 1.5M only the build grows.
func (c *Config) newLinks(level int) int {
	if level == 0 {
		return c.BaseLinks
	}
	return c.M
}

// level of element id: ⌊−ln(U) / ln(M)⌋ with U drawn from the seed and the id alone, so that it doesn't depend on the
// order in which threads insert.
func (c *Config) level(id uint32) int {
	z := c.Seed + (uint64(id)+1)*0x9e3779b97f4a7c15 // splitmix64 (Steele, Lea & Flood, 2014)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	u := (float64(z>>11) + 1) / (1 << 53)
	if u*float64(c.M) > 1+1e-9 {
		return 0 // most elements, told without logarithms: room for many is counted one by one
	}
	return min(int(-math.Log(u)/math.Log(float64(c.M))), maxLevel)
}

// maxLevel is the highest level that an element can have; a level takes a byte.
const maxLevel = 255

// maxRows is the number of rows that ids of 31 bits allow: a candidate's mark takes the 32nd.
const maxRows = math.MaxInt32
