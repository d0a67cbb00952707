package crashfs

import (
	"bytes"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
)

const page = 4096

// node is the present and the durable state of a file or directory.
type node struct {
	dir bool

	now, durable map[string]*node // of a directory

	content []byte         // of a file in an image: what it held
	kept    []byte         // what of it is durable
	lost    map[int][]byte // the pages that a sync failed to write, as they were then
}

func newFile() *node { return &node{} }

func newDir() *node {
	return &node{dir: true, now: map[string]*node{}, durable: map[string]*node{}}
}

// scan returns the node of the file or directory at path, with everything in it. All of it is durable.
func scan(path string) (*node, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		n := newFile()
		n.kept, err = os.ReadFile(path)
		return n, err
	}
	n := newDir()
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		child, err := scan(filepath.Join(path, e.Name()))
		if err != nil {
			return nil, err
		}
		n.now[e.Name()], n.durable[e.Name()] = child, child
	}
	return n, nil
}

// sync makes the names of a directory, or the content b of a file, durable, except for pages that an earlier sync lost.
func (n *node) sync(b []byte) {
	if n.dir {
		n.durable = maps.Clone(n.now)
		return
	}
	for i, lost := range n.lost {
		now, before := pageOf(b, i), pageOf(n.kept, i)
		if bytes.Equal(now, lost) {
			clear(now)
			copy(now, before)
		} else {
			delete(n.lost, i)
		}
	}
	n.kept = b
}

// lose marks the changes that a sync would have made durable as lost.
func (n *node) lose(b []byte) {
	if n.dir {
		return // names stay for the next sync: journals of file systems end at such an error
	}
	if n.lost == nil {
		n.lost = map[int][]byte{}
	}
	for i := 0; i*page < len(b); i++ {
		if now := pageOf(b, i); !bytes.Equal(now, pageOf(n.kept, i)) {
			n.lost[i] = bytes.Clone(now)
		}
	}
}

func pageOf(b []byte, i int) []byte { return b[min(len(b), i*page):min(len(b), (i+1)*page)] }

// read stores the present content of the files below n, which is at path.
func (n *node) read(path string) (err error) {
	if !n.dir {
		n.content, err = os.ReadFile(path)
		return err
	}
	for name, child := range n.now {
		if err := child.read(filepath.Join(path, name)); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) clone(done map[*node]*node) *node {
	if c := done[n]; c != nil {
		return c
	}
	c := *n
	done[n] = &c
	c.now, c.durable = map[string]*node{}, map[string]*node{}
	for name, child := range n.now {
		c.now[name] = child.clone(done)
	}
	for name, child := range n.durable {
		c.durable[name] = child.clone(done)
	}
	return &c
}

// Image is what a disk may hold after a power cut.
type Image struct{ top *node }

// Survival says which changes that weren't synced survive.
type Survival int

// The survivals.
const (
	Synced Survival = iota // nothing
	All                    // everything
	Names                  // names, but no content
	Prefix                 // names, and the first half of the content
	Mixed                  // any names and pages, by chance
	Survivals
)

func (s Survival) String() string {
	return [...]string{"nothing", "everything", "names alone", "names and half of the content",
		"some names and pages"}[s] +
		" survives that wasn't synced"
}

// Entry is a file or directory on the disk, with its path below the root.
type Entry struct {
	Path    string
	Dir     bool
	Content []byte
}

// Entries returns what the disk holds, directories before their contents. The seed is for Mixed.
func (m *Image) Entries(s Survival, seed uint64) []Entry {
	w := &writer{survival: s, rnd: rand.New(rand.NewPCG(seed, 1))}
	w.write(m.top, ".")
	return w.entries
}

// Read returns what is in dir, like Image.Entries.
func Read(dir string) ([]Entry, error) {
	top, err := scan(dir)
	if err != nil {
		return nil, err
	}
	return (&Image{top}).Entries(Synced, 0), nil
}

// Write creates dir with the entries in it.
func Write(dir string, entries []Entry) error {
	for _, e := range entries {
		path, err := filepath.Join(dir, e.Path), error(nil)
		if e.Dir {
			err = os.Mkdir(path, 0o755)
		} else {
			err = os.WriteFile(path, e.Content, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type writer struct {
	survival Survival
	rnd      *rand.Rand
	entries  []Entry
}

func (w *writer) write(n *node, path string) {
	if !n.dir {
		w.entries = append(w.entries, Entry{Path: path, Content: w.content(n)})
		return
	}
	w.entries = append(w.entries, Entry{Path: path, Dir: true})
	for _, name := range names(n.now, n.durable) {
		child := n.now[name]
		if w.survival == Synced || w.survival == Mixed && w.rnd.IntN(2) == 0 {
			child = n.durable[name]
		}
		if child != nil {
			w.write(child, filepath.Join(path, name))
		}
	}
}

// content returns what survives of a file.
func (w *writer) content(n *node) []byte {
	if n.content == nil {
		return n.kept // it has no name any more, so that what it held last isn't known
	}
	switch w.survival {
	case All:
		return n.content
	case Prefix:
		half := len(n.content) / 2
		b := bytes.Clone(n.content[:half])
		if half < len(n.kept) {
			b = append(b, n.kept[half:]...)
		}
		return b
	case Mixed:
		size := len(n.kept)
		if w.rnd.IntN(2) == 0 {
			size = len(n.content)
		}
		b := make([]byte, size)
		for i := 0; i*page < size; i++ {
			from := n.kept
			if w.rnd.IntN(2) == 0 {
				from = n.content
			}
			copy(pageOf(b, i), pageOf(from, i))
		}
		return b
	}
	return n.kept
}

// Copy copies a file or directory to a name that doesn't exist yet.
func Copy(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		b, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, info.Mode()&fs.ModePerm)
	}
	return os.CopyFS(to, os.DirFS(from))
}
