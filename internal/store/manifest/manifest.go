// Package manifest reads and writes manifest.json, which makes a directory a Shale index: it names the shards' files
// and says what they hold. It is written after all of them.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/store"
)

// Name is the manifest's file name.
const Name = "manifest.json"

const (
	kind = "shale index"
	// Version is raised with every change that older readers would misread. A manifest without what came with it is
	// written as one of firstVersion.
	Version      = 2
	firstVersion = 1
)

// Manifest is the content of manifest.json.
type Manifest struct {
	Format         string   `json:"format"`
	Version        int      `json:"version"`
	Generation     int      `json:"generation"` // goes up with every save
	Rows           int      `json:"rows"`       // those deleted included
	Deleted        int      `json:"deleted"`
	Dim            int      `json:"dim"`
	Metric         string   `json:"metric"`
	Distance       string   `json:"distance,omitempty"` // name of the function that is the metric, if it is custom
	Storage        string   `json:"storage"`            // what the walk reads
	Keep           string   `json:"keep"`               // the rows that distances told come from, or none
	Product        *Product `json:"pq,omitempty"`       // of a storage that is product quantization
	M              int      `json:"m"`
	BaseLinks      int      `json:"base_links"` // of a new row on level 0
	EfConstruction int      `json:"ef_construction"`
	Seed           uint64   `json:"seed"`
	Tuned          *Tuned   `json:"tuned,omitempty"`
	Shards         []Shard  `json:"shards"`

	// Vectors is the path, relative to the directory, of the file with the rows of an external index. It is empty
	// if unknown.
	Vectors string `json:"vectors,omitempty"`

	Routing *Routing `json:"routing,omitempty"` // of several shards
	Growing *Growing `json:"growing,omitempty"` // rows that came after the shards were built
	Dead    *Shard   `json:"dead,omitempty"`    // the file that says which rows of shards are dead, and how many
	Build   *Build   `json:"build,omitempty"`   // of an index that isn't complete

	CRC32C string `json:"manifest_crc32c"` // of this file, with zeros in place of it; the last field
}

// Product describes codes of product quantization.
type Product struct {
	Subvectors int  `json:"subvectors"`
	Bits       int  `json:"bits"`
	Rotated    bool `json:"rotated"`
}

// Routing describes the file that routes queries to shards.
type Routing struct {
	Shard          // the file: an index of centroids, whose labels are their shards << 32 | a number
	Copies float64 `json:"copies"`          // rows stored for each row
	Reach  []Reach `json:"reach,omitempty"` // by rising share
	// Queries is the number of queries by which tuning measured Reach. 0 means that the build measured it on rows.
	Queries int `json:"queries,omitempty"`
}

// Growing describes the file of the growing segment: a graph of the rows that were added to an index of several shards.
type Growing struct {
	Shard
	Replaced int `json:"replaced,omitempty"` // of its rows, those whose labels shards hold too, on dead rows
}

// Reach is the mass of votes, of the centroids nearest to a query, that the searched shards must hold to find a share
// of the true neighbours.
type Reach struct {
	Share  float64 `json:"share"`
	Mass   float32 `json:"mass"`
	Probes float64 `json:"probes"` // shards that this takes, on average
}

// Build describes a build in progress, so that it can continue after a kill.
type Build struct {
	From  string `json:"from"`  // the input and the options; a build goes on only with the same
	Parts []int  `json:"parts"` // rows of each shard to come, once they are divided
}

// Tuned holds the default settings of searches, as tuning chose them.
type Tuned struct {
	Ef     int     `json:"ef"`
	Slack  float32 `json:"slack,omitempty"`
	Share  float64 `json:"share,omitempty"` // of the true neighbours that the shards probed should hold
	K      int     `json:"k"`
	Recall float64 `json:"recall"` // measured with these
}

// Shard is one file of the index.
type Shard struct {
	File   string `json:"file"`
	Rows   int    `json:"rows"`
	Bytes  int64  `json:"bytes"`
	CRC32C string `json:"header_crc32c"`    // of the file's header, which holds the checksums of the rest
	Blocks *Shard `json:"blocks,omitempty"` // the file that holds rows and links once more, side by side
}

// Sum returns CRC32C as a number.
func (s *Shard) Sum() (uint32, error) {
	n, err := strconv.ParseUint(s.CRC32C, 16, 32)
	return uint32(n), err
}

// headBytes is the length of the part of a shard's file that CRC32C covers: the header without its own checksum. With
// that checksum the CRC would be the same for all headers.
const headBytes = 4096 - 4

// Read reads and checks the manifest of the index in dir. If it is invalid the error is a *store.FormatError.
func Read(dir string) (*Manifest, error) {
	path := filepath.Join(dir, Name)
	b, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(m); err != nil {
		return nil, &store.FormatError{File: path, Offset: d.InputOffset(), Field: "JSON",
			Reason: "can't be decoded", Err: err}
	}
	field, err := m.checkKind()
	if err == nil {
		field, err = "manifest_crc32c", checkSum(b)
	}
	if err == nil {
		field, err = m.check()
	}
	if err != nil {
		return nil, &store.FormatError{File: path, Offset: -1, Field: field, Reason: "not usable", Err: err}
	}
	return m, nil
}

// maxBytes is more than the size of a manifest of maxShards shards.
const maxBytes = 64 << 20

// read gives the bytes of a file that may be something else altogether.
func read(path string) ([]byte, error) {
	f, size, err := format.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxBytes {
		return nil, &store.FormatError{File: path, Offset: -1, Field: "file",
			Reason: fmt.Sprintf("%d bytes are too many for a manifest", size)}
	}
	return io.ReadAll(io.LimitReader(f, maxBytes))
}

// Content returns the entries of all files.
func (m *Manifest) Content() []Shard {
	all := slices.Clone(m.Shards)
	for _, s := range m.Shards {
		if s.Blocks != nil {
			all = append(all, *s.Blocks)
		}
	}
	if m.Routing != nil {
		all = append(all, m.Routing.Shard)
	}
	if m.Growing != nil {
		all = append(all, m.Growing.Shard)
	}
	if m.Dead != nil {
		all = append(all, *m.Dead)
	}
	return all
}

// Files returns the names of all files that m names.
func (m *Manifest) Files() []string {
	var names []string
	for _, s := range m.Content() {
		names = append(names, s.File)
	}
	return names
}

// Write makes m the manifest of the index in dir, atomically.
func (m *Manifest) Write(dir string) error {
	b, err := m.encode()
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, Name), func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// Checksum sets and returns the CRC32C that Write will write.
func (m *Manifest) Checksum() (string, error) {
	_, err := m.encode()
	return m.CRC32C, err
}

func (m *Manifest) encode() ([]byte, error) {
	m.Format, m.Version, m.CRC32C = kind, firstVersion, noSum
	if m.Growing != nil || m.Dead != nil {
		m.Version = Version
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	b = append(b, '\n')
	m.CRC32C = seal(b)
	return b, nil
}

// Recognize reports whether the manifest in dir is one of Shale, intact or damaged, and not a file of that name of
// another program.
func Recognize(dir string) bool {
	b, err := read(filepath.Join(dir, Name))
	if err != nil {
		return false
	}
	var m struct{ Format string }
	return json.Unmarshal(b, &m) == nil && m.Format == kind || bytes.Contains(b, []byte(`"format": "`+kind+`"`))
}

// noSum takes the place of the checksum while that is computed.
const noSum = "00000000"

// sumAt returns the offset of the checksum in a manifest's bytes, or −1.
func sumAt(b []byte) int {
	key := []byte(`"manifest_crc32c": "`)
	at := bytes.LastIndex(b, key)
	if at < 0 || len(b) < at+len(key)+len(noSum) {
		return -1
	}
	return at + len(key)
}

// seal writes the checksum of a manifest's bytes to its place in them.
func seal(b []byte) string {
	at := sumAt(b)
	copy(b[at:], noSum)
	s := sum(b)
	copy(b[at:], s)
	return s
}

func sum(b []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// checkSum tests a manifest's bytes against the checksum in them.
func checkSum(b []byte) error {
	at := sumAt(b)
	if at < 0 {
		return errors.New("it has no checksum")
	}
	has := string(b[at : at+len(noSum)])
	if should := seal(bytes.Clone(b)); should != has {
		return fmt.Errorf("it is %s, it should be %s: the file is damaged or was edited", has, should)
	}
	return nil
}

// Describe returns a shard's entry for the file name in dir.
func Describe(dir, name string) (Shard, error) {
	f, size, err := format.OpenHead(filepath.Join(dir, name))
	if err != nil {
		return Shard{}, fmt.Errorf("describe shard: %w", err)
	}
	defer f.Close()
	head := make([]byte, min(size, headBytes))
	if _, err := f.ReadAt(head, 0); err != nil {
		return Shard{}, fmt.Errorf("describe shard: %w", err)
	}
	return Shard{File: name, Bytes: size, CRC32C: sum(head)}, nil
}
