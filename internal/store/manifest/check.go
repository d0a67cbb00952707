package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store"
)

// checkKind names the field by which this is something else than a manifest of this version.
func (m *Manifest) checkKind() (field string, err error) {
	switch {
	case m.Format != kind:
		return "format", fmt.Errorf("%q is not %q", m.Format, kind)
	case m.Version < firstVersion || m.Version > Version:
		return "version", fmt.Errorf("%d, this program reads %d to %d: %w", m.Version, firstVersion, Version,
			errors.ErrUnsupported)
	}
	return "", nil
}

// check names the field that is wrong, as far as the manifest alone tells.
func (m *Manifest) check() (field string, err error) {
	switch {
	case len(m.Shards) == 0 && m.Build == nil:
		return "shards", errors.New("there are none")
	case len(m.Shards) > maxShards:
		return "shards", fmt.Errorf("%d shards, at most %d are possible", len(m.Shards), maxShards)
	case m.Generation < 0:
		return "generation", fmt.Errorf("%d is not at least 0", m.Generation)
	case m.Rows < 0:
		return "rows", fmt.Errorf("%d is not at least 0", m.Rows)
	case m.Deleted < 0 || m.Deleted > m.Rows:
		return "deleted", fmt.Errorf("%d of %d rows", m.Deleted, m.Rows)
	}
	if err := m.Tuned.check(); err != nil {
		return "tuned", err
	}
	if err := m.checkNames(); err != nil {
		return "shards", err
	}
	if field, err := m.checkChanges(); err != nil {
		return field, err
	}
	if m.Routing == nil {
		return "", nil
	}
	return "routing", m.Routing.check()
}

// checkChanges tests what lies beside the shards since they were built.
func (m *Manifest) checkChanges() (field string, err error) {
	switch g := m.Growing; {
	case g == nil && m.Dead == nil:
		if m.Version != firstVersion {
			return "version", fmt.Errorf("%d has a growing segment or dead rows, and there are none", m.Version)
		}
		return "", nil
	case m.Version == firstVersion:
		return "version", fmt.Errorf("%d has no growing segment and no dead rows", m.Version)
	case len(m.Shards) < 2:
		return "growing", fmt.Errorf("beside %d shards", len(m.Shards))
	case g != nil && (g.Replaced < 0 || g.Replaced > g.Rows):
		return "growing", fmt.Errorf("%d of its %d rows are in shards too", g.Replaced, g.Rows)
	case g != nil && g.Replaced > 0 && m.Dead == nil:
		return "dead", fmt.Errorf("no rows of shards, and %d of the growing segment replace some", g.Replaced)
	case m.InShards() < 0:
		return "growing", fmt.Errorf("%d rows, with those of shards there are %d", g.Rows, m.Rows)
	}
	return "", nil
}

// maxShards is the largest plausible number of shards.
const maxShards = 1 << 16

func (t *Tuned) check() error {
	switch {
	case t == nil:
	case t.Ef < 1 || t.Ef > 1<<31-1:
		return fmt.Errorf("ef %d is not at least 1", t.Ef)
	case !(t.Slack >= 0):
		return fmt.Errorf("slack %v is not at least 0", t.Slack)
	case !(t.Share >= 0 && t.Share <= 1):
		return fmt.Errorf("share %v is not 0 to 1", t.Share)
	}
	return nil
}

// checkNames tests that each shard, and the routing, is a file of its own in the directory.
func (m *Manifest) checkNames() error {
	seen := map[string]bool{Name: true}
	for _, s := range m.Content() {
		switch {
		case s.File == "" || filepath.Base(s.File) != s.File || s.File == Name || s.File == ".." || s.File == "." ||
			strings.ContainsRune(s.File, 0):
			return fmt.Errorf("%q is not the name of a file in the directory", s.File)
		case seen[s.File]:
			return fmt.Errorf("%q is there twice", s.File)
		case s.Rows < 0 || s.Bytes < 0:
			return fmt.Errorf("%q has %d rows in %d bytes", s.File, s.Rows, s.Bytes)
		}
		seen[s.File] = true
	}
	return nil
}

func (r *Routing) check() error {
	if !(r.Copies >= 1 && r.Copies <= 2) {
		return fmt.Errorf("%v copies of a row are not 1 to 2", r.Copies)
	}
	before := Reach{}
	for _, now := range r.Reach {
		if !(now.Share > before.Share && now.Share <= 1) || !(now.Mass > before.Mass && now.Mass <= 2) || !(now.Probes >= 0) {
			return fmt.Errorf("reach of a share of %v by a mass of %v with %v probes, after %v by %v",
				now.Share, now.Mass, now.Probes, before.Share, before.Mass)
		}
		before = now
	}
	return nil
}

// Check compares the shards' files in dir with their entries in the manifest.
func (m *Manifest) Check(dir string) error {
	for _, s := range m.Content() {
		have, err := Describe(dir, s.File)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("a file that the manifest names is missing: %w", err)
		}
		if err != nil {
			return err
		}
		if have.Bytes != s.Bytes || have.CRC32C != s.CRC32C {
			return &store.FormatError{
				File: filepath.Join(dir, s.File), Offset: -1, Field: "file",
				Reason: fmt.Sprintf("%d bytes with header checksum %s, the manifest says %d with %s: copy the whole index again",
					have.Bytes, have.CRC32C, s.Bytes, s.CRC32C),
			}
		}
	}
	return nil
}

// CheckContent compares the manifest of a complete index with the headers and meta sections of the shards' files. Check
// must have succeeded.
func (m *Manifest) CheckContent(dir string) error {
	stored, deleted := 0, 0
	for _, s := range m.Shards {
		info, err := store.Inspect(filepath.Join(dir, s.File))
		if err != nil {
			return err
		}
		if info.Count != s.Rows {
			return m.wrong(dir, "shards", "%s has %d rows, not %d", s.File, info.Count, s.Rows)
		}
		if field, has, says := m.differs(&info.Config); field != "" {
			return m.wrong(dir, field, "%v, that of %s is %v", says, s.File, has)
		}
		stored, deleted = stored+info.Count, deleted+info.Deleted
	}
	if m.Routing != nil {
		info, err := store.Inspect(filepath.Join(dir, m.Routing.File))
		if err != nil {
			return err
		}
		if info.Count != m.Routing.Rows {
			return m.wrong(dir, "routing", "%s has %d centroids, not %d", m.Routing.File, info.Count, m.Routing.Rows)
		}
	}
	if m.Dead != nil {
		deleted = m.Dead.Rows
	}
	if g := m.Growing; g != nil {
		info, err := store.Inspect(filepath.Join(dir, g.File))
		if err != nil {
			return err
		}
		if info.Count != g.Rows {
			return m.wrong(dir, "growing", "%s has %d rows, not %d", g.File, info.Count, g.Rows)
		}
		if field, has, says := m.differs(&info.Config); field != "" {
			return m.wrong(dir, field, "%v, that of %s is %v", says, g.File, has)
		}
		deleted += info.Deleted - g.Replaced
	}
	return m.checkCounts(dir, stored, deleted)
}

// InShards returns the number of rows that shards hold, those included that the growing segment replaces.
func (m *Manifest) InShards() int {
	if m.Growing == nil {
		return m.Rows
	}
	return m.Rows - m.Growing.Rows + m.Growing.Replaced
}

// checkCounts compares the numbers of rows with those of the shards together.
func (m *Manifest) checkCounts(dir string, stored, deleted int) error {
	rows, copies := m.InShards(), 1.0
	if m.Routing != nil {
		copies = m.Routing.Copies
	}
	switch {
	case copies == 1 && stored != rows:
		return m.wrong(dir, "rows", "%d in shards, these hold %d", rows, stored)
	case float64(rows)*copies < float64(stored)-0.5 || float64(rows)*copies > float64(stored)+0.5:
		return m.wrong(dir, "rows", "%d in %v copies, the shards hold %d", rows, copies, stored)
	case deleted < m.Deleted || deleted-m.Deleted > stored-rows: // all copies of a row are marked
		return m.wrong(dir, "deleted", "%d, in the shards %d are", m.Deleted, deleted)
	}
	return nil
}

// differs names the first field that is another than in a shard's configuration, with both values.
func (m *Manifest) differs(c *hnsw.Config) (field string, has, says any) {
	for _, f := range []struct {
		name      string
		has, says any
	}{
		{"dim", c.Dim, m.Dim},
		{"metric", c.Metric.String(), m.Metric},
		{"distance", c.CustomName, m.Distance},
		{"m", c.M, m.M},
		{"base_links", c.BaseLinks, m.BaseLinks},
		{"ef_construction", c.EfConstruction, m.EfConstruction},
		{"seed", c.Seed, m.Seed},
	} {
		if f.has != f.says {
			return f.name, f.has, f.says
		}
	}
	return "", nil, nil
}

// wrong returns the error of a wrong field of the manifest.
func (m *Manifest) wrong(dir, field, reason string, args ...any) error {
	return &store.FormatError{File: filepath.Join(dir, Name), Offset: -1, Field: field,
		Reason: fmt.Sprintf(reason, args...)}
}
