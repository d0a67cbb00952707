package shard

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/vector"
)

// A part file holds the rows of a shard to come: a label of 8 bytes and the row as the input has it, one after another.

const partPrefix = "part-"

func (b *builder) partPath(i int) string {
	return filepath.Join(b.dir, fmt.Sprintf("%s%04d", partPrefix, i))
}

// shardFile is the name of the file of shard i that a build writes.
func shardFile(i int) string { return fmt.Sprintf("shard-%04d.shale", i) }

// laterFile is the name that a file has which the given generation of the index writes in the place of another: the
// first generation's name with the number in it.
func laterFile(name string, generation int) string {
	if generation <= 1 {
		return name
	}
	ext := filepath.Ext(name)
	return fmt.Sprintf("%s.%06d%s", strings.TrimSuffix(name, ext), generation, ext)
}

// isShardFile reports whether name is that of shard i, of any generation.
func isShardFile(name string, i int) bool {
	first := shardFile(i)
	generation, ok := strings.CutPrefix(name, strings.TrimSuffix(first, ".shale")+".")
	return name == first || ok && IsIndexFile(name) && strings.Count(generation, ".") == 1
}

// IsIndexFile reports whether an index directory, complete or not, has files of that name.
func IsIndexFile(name string) bool { return buildFile.MatchString(name) }

// buildFile also matches the names that files have while they are written.
var buildFile = func() *regexp.Regexp {
	names := `(` + partPrefix + `\d+|shard-\d+(\.\d+)?\.(shale|blocks)|routing(\.\d+)?\.shale|` +
		regexp.QuoteMeta(manifest.Name) + `)`
	return regexp.MustCompile(`^(` + names + `|\.` + names + `\.[0-9a-f]+\.shale-tmp)$`)
}()

type partWriter struct {
	f *atomicfile.File
	w *bufio.Writer
}

func newPartWriter(path string, buffer int) (*partWriter, error) {
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	return &partWriter{f, bufio.NewWriterSize(f, buffer)}, nil
}

func (w *partWriter) write(record []byte) error {
	_, err := w.w.Write(record)
	return err
}

func (w *partWriter) commit() error {
	if err := w.w.Flush(); err != nil {
		return err
	}
	return w.f.Commit()
}

// abort drops the file, unless it was committed.
func (w *partWriter) abort() { _ = w.f.Abort() } // what can't be removed is found by the next build

// shard builds shard i of its part file and records it.
func (b *builder) shard(ctx context.Context, i int) error {
	c := b.o.Config
	c.Capacity = b.m.Build.Parts[i]
	x, err := hnsw.New(c)
	if err != nil {
		return err
	}
	defer x.Close()
	if err := b.fill(ctx, x, i); err != nil {
		return err
	}
	if err := x.Reorder(); err != nil {
		return err
	}
	name := shardFile(i)
	if err := store.Save(ctx, filepath.Join(b.dir, name), x); err != nil {
		return err
	}
	s, err := manifest.Describe(b.dir, name)
	if err != nil {
		return err
	}
	s.Rows = x.Len()
	if b.o.Blocks {
		blocks, err := writeBlocks(ctx, b.dir, s, x)
		if err != nil {
			return err
		}
		s.Blocks = &blocks
	}
	b.m.Shards = append(b.m.Shards, s)
	if err := b.m.Write(b.dir); err != nil {
		return err
	}
	return vfs.Remove(b.partPath(i))
}

// fill adds the rows of part file i to x.
func (b *builder) fill(ctx context.Context, x *hnsw.Index, i int) error {
	f, err := vfs.Open(b.partPath(i))
	if err != nil {
		return err
	}
	defer f.Close()
	t, dim, rows := b.src.Type(), b.src.Dim(), b.m.Build.Parts[i]
	record := 8 + rowtype.Size(t, dim)
	if info, err := f.Stat(); err != nil || info.Size() != int64(rows)*int64(record) {
		return fmt.Errorf("%s doesn't hold its %d rows: remove %s to start anew: %w", f.Name(),
			rows, b.dir, io.ErrUnexpectedEOF)
	}
	block := make([]byte, min(rows, max(1, partBlock/record))*rowtype.Size(t, dim))
	labels := make([]uint64, len(block)/rowtype.Size(t, dim))
	r := bufio.NewReaderSize(f, 1<<20)
	before := 0
	for _, n := range b.m.Build.Parts[:i] {
		before += n
	}
	total := before
	for _, n := range b.m.Build.Parts[i:] {
		total += n
	}
	for done := 0; done < rows; {
		n := min(len(labels), rows-done)
		if err := readRecords(r, labels[:n], block, rowtype.Size(t, dim)); err != nil {
			return fmt.Errorf("read %s: %w", f.Name(), err)
		}
		m, err := vector.FromBytes(block, t, n, dim, 0)
		if err != nil {
			return err
		}
		at := before + done
		err = x.AddBatch(ctx, m, labels[:n], hnsw.BatchOptions{
			Threads: b.o.Threads, Progress: func(added int) { b.told("building shards", at+added, total) },
		})
		if err != nil {
			return err
		}
		done += n
	}
	return nil
}

// partBlock is the bytes of a part file that are added at a time.
const partBlock = 16 << 20

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

// removeIf removes the build's files whose names it is true for.
func (b *builder) removeIf(name func(string) bool) error {
	entries, err := vfs.ReadDir(b.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if IsIndexFile(e.Name()) && name(e.Name()) {
			if err := vfs.Remove(filepath.Join(b.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// unfinished reports whether a name is that of a file that was being written when a build was killed.
func unfinished(name string) bool { return strings.HasPrefix(name, ".") }
