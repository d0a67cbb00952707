package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/vector"
)

const (
	liveMagic = "SHALELIV"
	// LiveVersion is the version of live files. Readers accept their own version only.
	LiveVersion = 1

	liveConfigAt = 24
	// The second page holds what changes.
	stateAt  = headerSize
	centerAt = stateAt + headerSize

	dirtyAt     = stateAt // whether the parts may be in the middle of changes
	codedAt     = stateAt + 4
	countsAt    = stateAt + 8 // liveState
	countsSize  = 32
	centerCRCAt = countsAt + countsSize
	stateCRCAt  = centerCRCAt + 4
	faultedAt   = stateCRCAt + 4 // whether some pages may be in the page cache alone, without the system's knowing
	writerAt    = faultedAt + 4  // uint64: see writerOf
	epochAt     = writerAt + 8   // uint32
)

// liveConfig is the configuration of the index in the first page of a live file, field by field.
type liveConfig struct {
	Flags          uint32
	Metric         uint32
	Storage        uint32
	Dim            uint32
	M              uint32
	BaseLinks      uint32
	EfConstruction uint32
	CodeBits       uint8
	CodeKind       uint8
	Reserved       uint16
	Seed           uint64
	Capacity       uint64
	UpperLists     uint64
}

// liveState is the state in the second page of a settled file.
type liveState struct {
	Count, Lists, Deleted uint64
	TopLevel              int32
	Entry                 uint32
}

// flagSums marks a live file with checksums of its elements.
const flagSums = knownFlags + 1

func liveConfigOf(c hnsw.Config, upperLists int, sums bool) liveConfig {
	return liveConfig{
		Flags:  flag(flagReplaceDelete, c.ReplaceDelete) | flag(flagCustomMetric, c.Custom != nil) | flag(flagSums, sums),
		Metric: uint32(c.Metric), Storage: uint32(c.Storage), Dim: uint32(c.Dim), M: uint32(c.M),
		BaseLinks: uint32(c.BaseLinks), EfConstruction: uint32(c.EfConstruction),
		CodeBits: uint8(c.Codes.Bits), CodeKind: uint8(c.Codes.Kind),
		Seed: c.Seed, Capacity: uint64(c.Capacity), UpperLists: uint64(upperLists),
	}
}

// config returns the configuration in l, of an index whose custom metric, if it has one, is named custom.
func (l *liveConfig) config(o Options, custom string) (hnsw.Config, error) {
	switch {
	case l.Flags&^(flagReplaceDelete|flagCustomMetric|flagSums) != 0 || l.Reserved != 0:
		return hnsw.Config{}, fmt.Errorf("flags %#x, reserved %#x: %w", l.Flags, l.Reserved, errors.ErrUnsupported)
	case l.Metric > uint32(score.Custom) || l.Storage > uint32(rowtype.NoRows):
		return hnsw.Config{}, fmt.Errorf("metric %d, element type %d: %w", l.Metric, l.Storage, errors.ErrUnsupported)
	case (l.Flags&flagCustomMetric != 0) != (l.Metric == uint32(score.Custom)),
		custom != "" && l.Metric != uint32(score.Custom):
		return hnsw.Config{}, fmt.Errorf("metric %d with flags %#x and the name %q", l.Metric, l.Flags, custom)
	case l.M == 0 || l.BaseLinks == 0 || l.EfConstruction < l.M || l.Seed == 0:
		return hnsw.Config{}, fmt.Errorf("%d as M, %d base links, efConstruction %d or seed %d isn't possible", l.M,
			l.BaseLinks, l.EfConstruction, l.Seed)
	case l.Capacity > maxRows || l.UpperLists > maxRows:
		return hnsw.Config{}, fmt.Errorf("room for %d elements and %d lists isn't possible", l.Capacity, l.UpperLists)
	}
	c := hnsw.Config{
		Dim: int(l.Dim), Metric: vector.Metric(l.Metric), M: int(l.M), BaseLinks: int(l.BaseLinks),
		EfConstruction: int(l.EfConstruction), Seed: l.Seed, Storage: vector.Type(l.Storage),
		Codes:    hnsw.Codes{Kind: quant.Kind(l.CodeKind), Bits: int(l.CodeBits)},
		Capacity: int(l.Capacity), FixedCapacity: o.FixedCapacity,
		ReplaceDelete: l.Flags&flagReplaceDelete != 0 || o.ReplaceDelete,
	}
	return c, o.measure(&c, custom)
}

// liveLayout holds the places in a live file: of the center of the codes and of the parts, each on a page.
type liveLayout struct {
	config     hnsw.Config
	upperLists int
	sums       bool // of the elements; files that were made before there were sums have none
	center     int  // bytes
	at         [hnsw.Parts]int64
	size       [hnsw.Parts]int64
	length     int64 // of the file
}

// newLayout returns the layout of a new file for c.Capacity elements.
func newLayout(c hnsw.Config, sums bool) (liveLayout, error) {
	c, lists, err := hnsw.Backable(c)
	if err != nil {
		return liveLayout{}, err
	}
	return layoutOf(c, lists, sums)
}

func layoutOf(c hnsw.Config, upperLists int, sums bool) (l liveLayout, err error) {
	l = liveLayout{config: c, upperLists: upperLists, sums: sums}
	if c.Codes.Bits != 0 {
		l.center = c.Dim * 4
	}
	if l.size, err = hnsw.PartBytes(c, upperLists); err != nil {
		return l, err
	}
	if !sums {
		l.size[hnsw.PartSums], l.size[hnsw.PartUndo] = 0, 0
	}
	// Records of undo come first, since they are synced often, and a file is synced from its beginning on.
	l.at[hnsw.PartUndo] = alignUp(centerAt + int64(l.center))
	end := l.at[hnsw.PartUndo] + l.size[hnsw.PartUndo]
	for p := range hnsw.PartUndo {
		l.at[p] = alignUp(end)
		end = l.at[p] + l.size[p]
	}
	l.length = alignUp(end)
	return l, nil
}

// header returns the first two pages of a new file.
func (l *liveLayout) header() ([]byte, error) {
	b := make([]byte, 0, centerAt)
	b = append(b, liveMagic...)
	b = binary.LittleEndian.AppendUint32(b, LiveVersion)
	b = binary.LittleEndian.AppendUint32(b, byteOrder)
	b = binary.LittleEndian.AppendUint64(b, uint64(l.length))
	b, err := binary.Append(b, binary.LittleEndian, liveConfigOf(l.config, l.upperLists, l.sums))
	if err != nil {
		return nil, err
	}
	b = b[:centerAt]
	copy(b[nameAt:], l.config.CustomName)
	binary.LittleEndian.PutUint32(b[crcAt:], checksum(b[:crcAt]))
	putState(b, hnsw.State{TopLevel: -1, Epoch: 1})
	return b, nil
}

// putState writes the counts of a state and their sum.
func putState(b []byte, s hnsw.State) {
	at := b[countsAt:stateCRCAt]
	binary.LittleEndian.PutUint64(at, uint64(s.Count))
	binary.LittleEndian.PutUint64(at[8:], uint64(s.Lists))
	binary.LittleEndian.PutUint64(at[16:], uint64(s.Deleted))
	binary.LittleEndian.PutUint32(at[24:], uint32(int32(s.TopLevel)))
	binary.LittleEndian.PutUint32(at[28:], s.Entry)
	binary.LittleEndian.PutUint32(b[stateCRCAt:], checksum(at[:countsSize]))
	binary.LittleEndian.PutUint32(b[epochAt:], s.Epoch)
}

// livePages holds the first two pages of a live file, and their decoded contents.
type livePages struct {
	liveLayout
	b       []byte
	info    fs.FileInfo
	dirty   bool
	faulted bool
	state   hnsw.State
}

// readLive reads and checks the first pages of f, and the center of the codes.
func readLive(f vfs.File, path string, o Options) (*livePages, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	p := &livePages{b: make([]byte, centerAt), info: info}
	bad := func(at int64, field string, cause error, reason string, args ...any) error {
		return &FormatError{File: path, Offset: at, Field: field, Reason: fmt.Sprintf(reason, args...), Err: cause}
	}
	if !info.Mode().IsRegular() || info.Size() < centerAt {
		return nil, bad(0, "header", nil, "no regular file of at least %d bytes", centerAt)
	}
	if _, err := f.ReadAt(p.b, 0); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	b := p.b
	switch {
	case string(b[:len(liveMagic)]) != liveMagic:
		return nil, bad(0, "magic", nil, "not a live index file")
	case binary.LittleEndian.Uint32(b[versionAt:]) != LiveVersion:
		return nil, bad(versionAt, "version", errors.ErrUnsupported, "%d, this program reads %d",
			binary.LittleEndian.Uint32(b[versionAt:]), LiveVersion)
	case binary.LittleEndian.Uint32(b[crcAt:]) != checksum(b[:crcAt]):
		return nil, bad(crcAt, "header", nil, "its checksum is wrong: the header is damaged")
	case binary.LittleEndian.Uint32(b[byteOrderAt:]) != byteOrder:
		return nil, bad(byteOrderAt, "byte order", errors.ErrUnsupported, "not little-endian")
	}
	var lc liveConfig
	if _, err := binary.Decode(b[liveConfigAt:], binary.LittleEndian, &lc); err != nil {
		return nil, bad(liveConfigAt, "configuration", err, "can't be decoded")
	}
	custom, err := customName(b[nameAt:])
	if err != nil {
		return nil, bad(nameAt, "name of the metric", err, "not possible")
	}
	c, err := lc.config(o, custom)
	if err == nil {
		p.liveLayout, err = layoutOf(c, int(lc.UpperLists), lc.Flags&flagSums != 0)
	}
	if err != nil {
		return nil, bad(liveConfigAt, "configuration", err, "not possible")
	}
	if said := binary.LittleEndian.Uint64(b[lengthAt:]); said != uint64(p.length) || info.Size() != p.length {
		return nil, bad(lengthAt, "file length", nil,
			"%d, and the file has %d bytes, the index needs %d: truncated, or something follows", said, info.Size(), p.length)
	}
	if err := p.readState(f); err != nil {
		return nil, bad(stateAt, "state", err, "the file is damaged")
	}
	return p, nil
}

// readState reads the second page. If the file is dirty, only the center is used.
func (p *livePages) readState(r io.ReaderAt) error {
	dirty, coded := binary.LittleEndian.Uint32(p.b[dirtyAt:]), binary.LittleEndian.Uint32(p.b[codedAt:])
	if dirty > 1 || coded > 1 || coded == 1 && p.center == 0 {
		return fmt.Errorf("marks %d and %d", dirty, coded)
	}
	p.dirty, p.faulted = dirty == 1, binary.LittleEndian.Uint32(p.b[faultedAt:]) != 0
	writer := binary.LittleEndian.Uint64(p.b[writerAt:])
	unsure := p.faulted || writer == 0 || writer != writerOf(p.info)
	at := p.b[countsAt:stateCRCAt]
	var s liveState
	if binary.LittleEndian.Uint32(p.b[stateCRCAt:]) != checksum(at[:countsSize]) {
		if !p.dirty {
			return errors.New("its checksum is wrong")
		}
		at = make([]byte, countsSize) // the writer was interrupted while it wrote it, after all else was on the disk
	}
	if _, err := binary.Decode(at, binary.LittleEndian, &s); err != nil {
		return err
	}
	if p.dirty {
		s.Lists, s.Deleted, s.TopLevel, s.Entry = 0, 0, 0, 0 // which nobody reads
	}
	if s.Count > maxRows || s.Lists > maxRows || s.Deleted > maxRows {
		return fmt.Errorf("%d elements, %d deleted, %d lists", s.Count, s.Deleted, s.Lists)
	}
	p.state = hnsw.State{
		Unsure: unsure, Epoch: binary.LittleEndian.Uint32(p.b[epochAt:]), Count: int(s.Count), Lists: int(s.Lists),
		Deleted: int(s.Deleted), TopLevel: int(s.TopLevel), Entry: s.Entry,
	}
	if coded == 1 {
		return p.readCenter(r)
	}
	return nil
}

func (p *livePages) readCenter(r io.ReaderAt) error {
	b := make([]byte, p.center)
	if _, err := r.ReadAt(b, centerAt); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(p.b[centerCRCAt:]) != checksum(b) {
		if p.dirty && (p.sums || p.config.Storage != rowtype.NoRows) {
			return nil // codes are made anew, or there are none as yet
		}
		return errors.New("the checksum of the codes' center is wrong")
	}
	p.state.Coded, p.state.Center = true, make([]float32, p.config.Dim)
	_, err := binary.Decode(b, binary.LittleEndian, p.state.Center)
	return err
}

// isLive reports whether a file begins like a live file.
func isLive(head []byte) bool {
	return len(head) >= len(liveMagic) && string(head[:len(liveMagic)]) == liveMagic
}
