package shard

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/vector"
)

// A part file holds the rows of a shard that isn't built yet: for each row, a label of 8 bytes and the row as in the
// input.

const partPrefix = "part-"

// PartFile returns the name of part file i.
func PartFile(i int) string { return fmt.Sprintf("%s%04d", partPrefix, i) }

// ShardFile returns the name of the file of shard i that a build writes.
func ShardFile(i int) string { return fmt.Sprintf("shard-%04d.shale", i) }

// laterFile returns the name under which a generation of the index writes a file: the name in the first generation,
// with the number of the generation added.
func laterFile(name string, generation int) string {
	if generation <= 1 {
		return name
	}
	ext := filepath.Ext(name)
	return fmt.Sprintf("%s.%06d%s", strings.TrimSuffix(name, ext), generation, ext)
}

// isShardFile reports whether name is the name of shard i in any generation.
func isShardFile(name string, i int) bool {
	first := ShardFile(i)
	generation, ok := strings.CutPrefix(name, strings.TrimSuffix(first, ".shale")+".")
	return name == first || ok && IsIndexFile(name) && strings.Count(generation, ".") == 1
}

// growingFile and deadFile return the names under which a generation of the index writes its growing segment and the
// marks of dead rows.
func growingFile(generation int) string {
	return fmt.Sprintf("%s%06d.shale", growingPrefix, generation)
}
func deadFile(generation int) string { return fmt.Sprintf("%s%06d.marks", deadPrefix, generation) }

const (
	growingPrefix = "growing."
	deadPrefix    = "dead."
)

// IsChangeFile reports whether name is that of a file that lies beside the shards since they were built.
func IsChangeFile(name string) bool {
	return IsIndexFile(name) && (strings.HasPrefix(name, growingPrefix) || strings.HasPrefix(name, deadPrefix))
}

// IsIndexFile reports whether an index directory, complete or not, has files of that name.
func IsIndexFile(name string) bool { return buildFile.MatchString(name) }

// buildFile also matches the names that files have while they are written.
var buildFile = func() *regexp.Regexp {
	names := `(` + partPrefix + `\d+|shard-\d+(\.\d+)?\.(shale|blocks)|routing(\.\d+)?\.shale|` +
		`growing\.\d+\.shale|dead\.\d+\.marks|` + regexp.QuoteMeta(manifest.Name) + `)`
	return regexp.MustCompile(`^(` + names + `|\.` + names + `\.[0-9a-f]+\.shale-tmp)$`)
}()

// Part is a part file.
type Part struct {
	Path string
	Rows int
	Type vector.Type
	Dim  int
}

// rowSize returns the number of bytes of a row.
func (p *Part) rowSize() int { return rowtype.Size(p.Type, p.Dim) }

// PartWriters writes the part files of all shards, which appear when they are committed.
type PartWriters struct {
	files  []*atomicfile.File
	out    []*bufio.Writer
	labels []uint64 // of the source's rows; nil: their numbers
	record []byte
	// uncached is how many bytes are written before all that is there goes to the disk and leaves the page cache; 0: the
	// page cache decides.
	uncached int
	written  int // since then
}

// CreateParts creates part files in dir, with the names of PartFile, for rows of rowSize bytes. Each has a buffer of
// buffer bytes.
func CreateParts(dir string, shards, rowSize, buffer int, labels []uint64) (*PartWriters, error) {
	w := &PartWriters{labels: labels, record: make([]byte, 8+rowSize)}
	for i := range shards {
		f, err := atomicfile.Create(filepath.Join(dir, PartFile(i)))
		if err != nil {
			w.Abort()
			return nil, err
		}
		w.files, w.out = append(w.files, f), append(w.out, bufio.NewWriterSize(f, buffer))
	}
	return w, nil
}

// Put writes a row of the source to the file of a shard.
func (w *PartWriters) Put(shard uint32, row int, values []byte) error {
	label := uint64(row)
	if w.labels != nil {
		label = w.labels[row]
	}
	binary.LittleEndian.PutUint64(w.record, label)
	copy(w.record[8:], values)
	if _, err := w.out[shard].Write(w.record); err != nil || w.uncached == 0 {
		return err
	}
	if w.written += len(w.record); w.written < w.uncached {
		return nil
	}
	w.written = 0
	return w.settle()
}

// settle writes what is in the files to the disk and takes it from the page cache.
func (w *PartWriters) settle() error {
	for i, f := range w.files {
		if err := errors.Join(w.out[i].Flush(), f.Settle()); err != nil {
			return err
		}
	}
	return nil
}

// Commit gives the files their names.
func (w *PartWriters) Commit() error {
	var errs []error
	for i, f := range w.files {
		err := w.out[i].Flush()
		if err == nil {
			err = f.Commit()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Abort drops the files that weren't committed.
func (w *PartWriters) Abort() {
	for _, f := range w.files {
		_ = f.Abort() // the next build removes what is left
	}
}

// partBlock is the number of bytes of a part file that are read at a time.
const partBlock = 2 << 20

// each calls fn with the labels and rows of a part file, block by block. They are valid until fn returns.
func (p *Part) each(fn func(labels []uint64, rows vector.Matrix) error) error {
	f, err := vfs.Open(p.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	size := p.rowSize()
	record := 8 + size
	if info, err := f.Stat(); err != nil || info.Size() != int64(p.Rows)*int64(record) {
		return fmt.Errorf("%s doesn't hold its %d rows: remove %s to start anew: %w",
			p.Path, p.Rows, filepath.Dir(p.Path), io.ErrUnexpectedEOF)
	}
	labels := make([]uint64, min(p.Rows, max(1, partBlock/record)))
	block := make([]byte, len(labels)*size)
	r := bufio.NewReaderSize(f, 1<<20)
	for done := 0; done < p.Rows; {
		n := min(len(labels), p.Rows-done)
		if err := readRecords(r, labels[:n], block, size); err != nil {
			return fmt.Errorf("read %s: %w", p.Path, err)
		}
		rows, err := vector.FromBytes(block, p.Type, n, p.Dim, 0)
		if err != nil {
			return err
		}
		if err := fn(labels[:n], rows); err != nil {
			return err
		}
		done += n
	}
	return nil
}

// readRecords reads labels and rows of size bytes each.
func readRecords(r io.Reader, labels []uint64, rows []byte, size int) error {
	var head [8]byte
	for i := range labels {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		labels[i] = binary.LittleEndian.Uint64(head[:])
		if _, err := io.ReadFull(r, rows[i*size:(i+1)*size]); err != nil {
			return err
		}
	}
	return nil
}
