// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tiles

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
)

// hashSize is the size of SHA-256, which the format fixes.
const hashSize = 32

// Tree is the right edge of a tree that grows. It belongs to one goroutine.
type Tree struct {
	dir  string
	size uint64
	// bundle is the content of the last bundle, as far as it is filled; edge[l] holds
	// the hashes of the last tile of level l.
	bundle []byte
	edge   [][][]byte
}

// Open returns the tree of that size in a folder. It fails where the files do not
// give the root: they were altered.
func Open(dir string, size uint64, root []byte) (*Tree, error) {
	t := &Tree{dir: dir, size: size}
	for level := uint64(0); size>>(8*level) > 0; level++ {
		count := size >> (8 * level)
		tile, err := t.openTile(level, count/Width, int(count%Width))
		if err != nil {
			return nil, err
		}
		t.edge = append(t.edge, tile)
	}
	if part := int(size % Width); part > 0 {
		raw, err := ReadBundle(dir, size/Width, part)
		if err != nil {
			return nil, err
		}
		t.bundle = raw
		entries, err := Split(raw, part)
		if err != nil {
			return nil, fmt.Errorf("could not read bundle %d of %q: %w", size/Width, dir, err)
		}
		for i, e := range entries {
			if !bytes.Equal(rfc6962.DefaultHasher.HashLeaf(e), t.edge[0][i]) {
				return nil, fmt.Errorf("entry %d of %q is not the one that its hash was taken of: the log was altered", size-uint64(part-i), dir)
			}
		}
	}
	if !bytes.Equal(t.Root(), root) {
		return nil, fmt.Errorf("the tiles of %q do not give the root of the checkpoint at size %d: the log was altered", dir, size)
	}
	return t, nil
}

func (t *Tree) openTile(level, index uint64, part int) ([][]byte, error) {
	if part == 0 {
		return nil, nil
	}
	raw, err := ReadTile(t.dir, level, index, part)
	if err != nil {
		return nil, err
	}
	nodes := make([][]byte, part)
	for i := range nodes {
		nodes[i] = raw[i*hashSize : (i+1)*hashSize]
	}
	return nodes, nil
}

// Size is the number of entries.
func (t *Tree) Size() uint64 { return t.size }

// Root of the tree.
func (t *Tree) Root() []byte { return Root(t.edge) }

// Root is the root of a tree whose last tile of level l has the hashes edge[l].
func Root(edge [][][]byte) []byte {
	var h []byte
	// From the right: the lowest level holds the last entries.
	for _, nodes := range edge {
		for len(nodes) > 0 {
			n := lowestBit(len(nodes))
			part := perfect(nodes[len(nodes)-n:])
			nodes = nodes[:len(nodes)-n]
			if h == nil {
				h = part
				continue
			}
			h = rfc6962.DefaultHasher.HashChildren(part, h)
		}
	}
	if h == nil {
		return rfc6962.DefaultHasher.EmptyRoot()
	}
	return h
}

// TileRoot is the root over a full tile.
func TileRoot(nodes [][]byte) []byte { return perfect(nodes) }

func lowestBit(n int) int { return n & -n }

// perfect is the root over a number of hashes that is a power of two.
func perfect(nodes [][]byte) []byte {
	if len(nodes) == 1 {
		return nodes[0]
	}
	half := len(nodes) / 2
	return rfc6962.DefaultHasher.HashChildren(perfect(nodes[:half]), perfect(nodes[half:]))
}

// Grow adds entries and writes the files that they change; what it has written is
// on disk when it returns. After an error the tree is as it was before, and Grow
// may be called again with the same entries and more.
func (t *Tree) Grow(entries [][]byte) error {
	next := t.clone()
	w := &writer{dir: t.dir, folders: map[string]bool{}}
	for _, e := range entries {
		if err := next.add(e, w); err != nil {
			return err
		}
	}
	next.finish(w)
	if err := w.flush(); err != nil {
		return fmt.Errorf("could not write the tree in %q: %w", t.dir, err)
	}
	*t = *next
	return nil
}

func (t *Tree) clone() *Tree {
	c := &Tree{dir: t.dir, size: t.size, bundle: bytes.Clone(t.bundle)}
	for _, nodes := range t.edge {
		c.edge = append(c.edge, append(make([][]byte, 0, Width), nodes...))
	}
	return c
}

func (t *Tree) add(entry []byte, w *writer) error {
	if len(entry) > MostBytes {
		return fmt.Errorf("could not add an entry of %d bytes: at most %d are taken", len(entry), MostBytes)
	}
	t.bundle = append(binary.BigEndian.AppendUint16(t.bundle, uint16(len(entry))), entry...)
	t.size++
	if t.size%Width == 0 {
		w.put(layout.EntriesPath(t.size/Width-1, 0), t.bundle)
		t.bundle = nil
	}
	t.push(0, rfc6962.DefaultHasher.HashLeaf(entry), w)
	return nil
}

// push adds a hash to the last tile of a level. A tile that is full is written,
// and its root goes one level up.
func (t *Tree) push(level int, hash []byte, w *writer) {
	if level == len(t.edge) {
		t.edge = append(t.edge, nil)
	}
	t.edge[level] = append(t.edge[level], hash)
	if len(t.edge[level]) < Width {
		return
	}
	index := t.size>>(8*(level+1)) - 1
	w.put(layout.TilePath(uint64(level), index, 0), bytes.Join(t.edge[level], nil))
	root := perfect(t.edge[level])
	t.edge[level] = nil
	t.push(level+1, root, w)
}

// finish writes what is only partly filled.
func (t *Tree) finish(w *writer) {
	if part := t.size % Width; part > 0 {
		w.put(layout.EntriesPath(t.size/Width, uint8(part)), t.bundle)
	}
	for level, nodes := range t.edge {
		if len(nodes) > 0 {
			w.put(layout.TilePath(uint64(level), t.size>>(8*(level+1)), uint8(len(nodes))), bytes.Join(nodes, nil))
		}
	}
}

// Resource is one file of a tree.
type Resource struct {
	// Path within the folder.
	Path string
	// Whole is the path of the file that holds this and more once it is filled.
	// Empty: the file is filled.
	Whole string
}

// Resources lists the files that a tree of the size has and one of a smaller size
// had not, partly filled ones last.
func Resources(from, size uint64) []Resource {
	var whole []Resource
	add := func(path func(n uint64, p uint8) string, from, count uint64) {
		for i := from / Width; i < count/Width; i++ {
			whole = append(whole, Resource{Path: path(i, 0)})
		}
	}
	add(layout.EntriesPath, from, size)
	for level := uint64(0); size>>(8*level) > 0; level++ {
		add(func(n uint64, p uint8) string { return layout.TilePath(level, n, p) }, from>>(8*level), size>>(8*level))
	}
	if from == size {
		return whole
	}
	return append(whole, parts(size)...)
}

// parts lists the partly filled files of a tree.
func parts(size uint64) []Resource {
	var parts []Resource
	add := func(path func(n uint64, p uint8) string, count uint64) {
		if p := uint8(count % Width); p > 0 {
			parts = append(parts, Resource{Path: path(count/Width, p), Whole: path(count/Width, 0)})
		}
	}
	add(layout.EntriesPath, size)
	for level := uint64(0); size>>(8*level) > 0; level++ {
		add(func(n uint64, p uint8) string { return layout.TilePath(level, n, p) }, size>>(8*level))
	}
	return parts
}

// Forget removes partly filled files that a tree grown from one size to another
// needs no more. Readers who are late find more in the larger file.
func Forget(dir string, from, size uint64) error {
	var err error
	now := map[string]string{}
	for _, r := range parts(size) {
		now[r.Whole] = r.Path
	}
	for _, r := range parts(from) {
		gone := filepath.Join(dir, r.Path)
		switch path, partly := now[r.Whole]; {
		case path == r.Path:
		case partly:
			if e := os.Remove(gone); e != nil && !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		default: // filled: whatever a crash left beside it goes too
			err = errors.Join(err, os.RemoveAll(filepath.Dir(gone)))
		}
	}
	return err
}
