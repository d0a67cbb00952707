package shard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/internal/workers"
)

// BuildOptions says how to build. The zero value of a field means its default.
type BuildOptions struct {
	Config    hnsw.Config // of every shard; Build sets Dim and Capacity
	Labels    []uint64    // one for each row; the last row with a label replaces earlier ones; default: 0, 1, …
	Shards    int         // default: as many as Memory makes necessary
	Sample    int         // number of rows in the sample that is divided; default: as Memory allows, up to a limit
	Copies    float64     // average number of shards that store a row, 1 to 2; default 1
	Centroids int         // number for each shard, for routing; default 256
	Memory    int64       // most bytes of memory that the build uses; default: no bound
	Threads   int         // default GOMAXPROCS
	// Blocks stores rows and links a second time, side by side, for searches with too little memory for the links.
	Blocks   bool
	Replace  bool // replace the index at dir once the new one is complete
	Progress func(Progress)
	// Complete sets the fields of the manifest that don't describe shards. Build calls it just before it writes the
	// manifest.
	Complete func(*manifest.Manifest)
}

// Progress is the progress of a build.
type Progress struct {
	Step        string
	Done, Total int // numbers of rows; a Total of 0 means that it isn't known
}

// ErrBusy reports that another process is building the index.
var ErrBusy = errors.New("another process builds this index")

// BuildDir returns the directory that holds the index for dir until it is complete. It is beside dir or, if dir is a
// symbolic link, beside the target of the link.
func BuildDir(dir string) string {
	if to, err := atomicfile.Resolve(filepath.Clean(dir)); err == nil {
		dir = to
	}
	return filepath.Clean(dir) + ".building"
}

// Build builds an index of the source's rows at dir. It keeps finished steps in BuildDir(dir): if a build was killed,
// a build by the same user with the same rows and options continues after the last finished step; any other build
// starts anew. Build refuses NaN and infinity. If dir is a symbolic link, Build writes the index to its target.
func Build(ctx context.Context, src Source, dir string, o BuildOptions) (err error) {
	given := dir
	defer func() {
		if err != nil {
			err = fmt.Errorf("build %s: %w", given, err)
		}
	}()
	if dir, err = atomicfile.Resolve(filepath.Clean(dir)); err != nil {
		return err
	}
	b, err := newBuilder(src, o)
	if err != nil {
		return err
	}
	from, err := b.from(ctx)
	if err != nil {
		return err
	}
	if err := mayReplace(dir, o.Replace); err != nil && !isDone(dir, from) {
		return err
	}
	at, err := openBuildDir(BuildDir(dir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, at.Close()) }()
	b.at, b.dir = at, at.index()
	if isDone(dir, from) {
		return at.remove() // the build was killed after it had published the index
	}
	if err := b.resume(from); err != nil {
		return err
	}
	if err := b.steps(ctx); err != nil {
		return err
	}
	if err := Publish(b.dir, dir, b.m, o.Replace); err != nil {
		return err
	}
	return at.remove()
}

// isDone reports whether the build that from identifies has published its index at dir but was killed before it removed
// its own directory.
func isDone(dir, from string) bool {
	n := (&buildDir{path: BuildDir(dir)}).note()
	if n.From != from || n.Manifest == "" {
		return false
	}
	m, err := manifest.Read(dir)
	return err == nil && m.CRC32C == n.Manifest
}

// builder is the state of one build.
type builder struct {
	input      Source // the source that the caller gave
	src        Source // the rows of input to store
	o          BuildOptions
	at         *buildDir
	dir        string // of the index in at
	parts      int
	sampleRows int
	m          *manifest.Manifest
}

func newBuilder(src Source, o BuildOptions) (*builder, error) {
	input := src
	if o.Labels != nil {
		var err error
		if src, o.Labels, err = latest(src, o.Labels); err != nil {
			return nil, err
		}
	}
	o.Config.Dim = src.Dim()
	o.Threads = workers.Threads(o.Threads, src.Rows())
	if o.Copies == 0 {
		o.Copies = 1
	}
	if o.Centroids <= 0 {
		o.Centroids = 256
	}
	if o.Config.Seed == 0 {
		o.Config.Seed = 100
	}
	switch {
	case src.Rows() == 0:
		return nil, errors.New("there are no rows")
	case !(o.Copies >= 1 && o.Copies <= 2):
		return nil, fmt.Errorf("%v copies of a row are not 1 to 2", o.Copies)
	case o.Shards < 0 || o.Shards > maxShards || o.Shards > src.Rows():
		return nil, fmt.Errorf("%d shards of %d rows: 1 to %d are possible", o.Shards, src.Rows(), min(maxShards, src.Rows()))
	case o.Blocks && (o.Config.Codes.Bits == 0 || o.Config.Storage == rowtype.NoRows):
		return nil, errors.New("blocks on disk need rows, and codes that searches keep in memory")
	case o.Config.Custom != nil:
		return nil, errors.New("rows can't be divided by a custom metric")
	}
	e, err := PlanBuild(src, o)
	if err != nil {
		return nil, err
	}
	return &builder{input: input, src: src, o: o, parts: e.Shards,
		sampleRows: cmp.Or(min(o.Sample, src.Rows()), e.SampleRows)}, nil
}

const maxShards = 1 << 12

// from returns a string that identifies the input and the options of the build.
func (b *builder) from(ctx context.Context) (string, error) {
	id, err := idOf(ctx, b.input)
	if err != nil {
		return "", err
	}
	c := b.o.Config
	c.Capacity = 0
	key, err := json.Marshal([]any{
		id, b.src.Rows(), b.src.Dim(), b.src.Type(), c.Metric, c.M, c.BaseLinks, c.EfConstruction, c.Seed, c.Storage, c.Codes,
		b.parts, b.sampleRows, b.o.Copies, b.o.Centroids, b.o.Blocks, checksumOf(b.o.Labels),
	})
	return string(key), err
}

// resume continues the build that from identifies, or begins it.
func (b *builder) resume(from string) error {
	m, err := b.at.found(from)
	if err != nil {
		return err
	}
	if m != nil {
		b.m = m
		return removeIf(b.dir, unfinished)
	}
	if err := b.at.clear(); err != nil {
		return err
	}
	if err := b.at.write(note{From: from}); err != nil {
		return err
	}
	if err := vfs.Mkdir(b.dir, 0o777); err != nil {
		return err
	}
	b.m = &manifest.Manifest{Build: &manifest.Build{From: from}}
	return b.m.Write(b.dir)
}

// steps does the remaining steps, until the manifest describes the complete index.
func (b *builder) steps(ctx context.Context) error {
	if b.m.Build == nil {
		return nil
	}
	if b.m.Build.Parts == nil {
		if err := b.divide(ctx); err != nil {
			return err
		}
	}
	if err := b.shards(ctx); err != nil {
		return err
	}
	return b.complete()
}

// divide divides the rows and writes those of each shard to a part file, and the centroids.
func (b *builder) divide(ctx context.Context) (err error) {
	o := &b.o
	d, err := Divide(ctx, b.src, DivideOptions{
		Config: o.Config, Shards: b.parts, Sample: b.sampleRows, Copies: o.Copies, Centroids: o.Centroids,
		Threads: o.Threads, Progress: o.Progress,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	files, err := CreateParts(b.dir, b.parts, rowtype.Size(b.src.Type(), b.src.Dim()), o.partBuffer(b.parts), o.Labels)
	if err != nil {
		return err
	}
	defer files.Abort()
	a, err := Assign(ctx, b.src, d, AssignOptions{Copies: o.Copies, Threads: o.Threads, Progress: o.Progress}, files.Put)
	if err != nil {
		return err
	}
	if err := files.Commit(); err != nil {
		return err
	}
	b.m.Routing, err = WriteRouting(ctx, b.dir, d, float64(a.Stored)/float64(a.Rows), o.Threads)
	if err != nil {
		return err
	}
	b.m.Build.Parts = a.Sizes
	return b.m.Write(b.dir)
}

// partBuffer returns the number of bytes to buffer for each part file while it is written.
func (o *BuildOptions) partBuffer(parts int) int {
	const most, least = 256 << 10, 8 << 10
	if o.Memory <= 0 {
		return most
	}
	return int(min(most, max(least, o.Memory/16/int64(parts))))
}

// shards builds the remaining shards from their part files.
func (b *builder) shards(ctx context.Context) error {
	sizes := b.m.Build.Parts
	if len(b.m.Shards) == len(sizes) {
		return nil
	}
	o, total := &b.o, 0
	for _, n := range sizes {
		total += n
	}
	c := CodesOptions{Config: o.Config, Memory: o.Memory, Threads: o.Threads, Progress: o.Progress}
	q, err := TrainCodes(ctx, b.src, c)
	if err != nil {
		return err
	}
	o.Config.Quantizer = q
	before := 0
	for i, rows := range sizes {
		if i >= len(b.m.Shards) {
			err := b.shard(ctx, i, func(done int) { tell(o.Progress, "building shards", before+done, total) })
			if err != nil {
				return fmt.Errorf("shard %d: %w", i, err)
			}
		}
		before += rows
	}
	return nil
}

// shard builds shard i, records it in the manifest and removes its part file.
func (b *builder) shard(ctx context.Context, i int, progress func(done int)) error {
	part := Part{Path: filepath.Join(b.dir, PartFile(i)), Rows: b.m.Build.Parts[i], Type: b.src.Type(), Dim: b.src.Dim()}
	o := ShardOptions{Config: b.o.Config, Blocks: b.o.Blocks, Threads: b.o.Threads, Progress: progress}
	s, err := BuildShard(ctx, part, b.dir, ShardFile(i), o)
	if err != nil {
		return err
	}
	b.m.Shards = append(b.m.Shards, s)
	if err := b.m.Write(b.dir); err != nil {
		return err
	}
	return vfs.Remove(part.Path)
}

// complete makes b.m the manifest of the complete index and records its checksum in the note.
func (b *builder) complete() error {
	m, err := IndexManifest(b.dir, b.m.Shards, b.m.Routing, b.src.Rows())
	if err != nil {
		return err
	}
	if b.o.Complete != nil {
		b.o.Complete(m)
	}
	sum, err := m.Checksum()
	if err != nil {
		return err
	}
	from := b.m.Build.From
	b.m = m
	return b.at.write(note{From: from, Manifest: sum})
}

// tell calls progress, if not nil.
func tell(progress func(Progress), step string, done, total int) {
	if progress != nil {
		progress(Progress{step, done, total})
	}
}
