// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tiles

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	flog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"
)

func entry(i int) []byte { return fmt.Appendf(nil, "record %d", i) }

// plainRoot is the definition of RFC 6962, without tiles.
func plainRoot(leaves [][]byte) []byte {
	switch len(leaves) {
	case 0:
		return rfc6962.DefaultHasher.EmptyRoot()
	case 1:
		return rfc6962.DefaultHasher.HashLeaf(leaves[0])
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	return rfc6962.DefaultHasher.HashChildren(plainRoot(leaves[:k]), plainRoot(leaves[k:]))
}

// TestTreeIsRFC6962 grows trees in steps of any size, opens them again in
// between, and holds their roots to the definition.
func TestTreeIsRFC6962(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "tree")
		if err != nil {
			t.Fatal(err)
		}
		tree, err := Open(dir, 0, rfc6962.DefaultHasher.EmptyRoot())
		if err != nil {
			t.Fatal(err)
		}
		var all [][]byte
		for range rapid.IntRange(1, 5).Draw(rt, "steps") {
			var batch [][]byte
			for range rapid.IntRange(0, 700).Draw(rt, "batch") {
				batch = append(batch, entry(len(all)+len(batch)))
			}
			if err := tree.Grow(batch); err != nil {
				t.Fatal(err)
			}
			before := len(all)
			all = append(all, batch...)
			if !bytes.Equal(tree.Root(), plainRoot(all)) {
				t.Fatalf("the root at size %d is another than RFC 6962 says", len(all))
			}
			if err := Forget(dir, uint64(before), uint64(len(all))); err != nil {
				t.Fatal(err)
			}
			if tree, err = Open(dir, uint64(len(all)), plainRoot(all)); err != nil {
				t.Fatal(err)
			}
			for _, r := range Resources(0, uint64(len(all))) {
				if _, err := os.Stat(filepath.Join(dir, r.Path)); err != nil {
					t.Fatalf("a tree of size %d has file %q: %v", len(all), r.Path, err)
				}
			}
		}
	})
}

// TestTesseraReadsIt has tessera's own checker look at what is written here.
func TestTesseraReadsIt(t *testing.T) {
	for _, size := range []int{1, 255, 256, 257, 3000, 70000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := t.TempDir()
			tree, err := Open(dir, 0, rfc6962.DefaultHasher.EmptyRoot())
			if err != nil {
				t.Fatal(err)
			}
			var batch [][]byte
			for i := range size {
				batch = append(batch, entry(i))
			}
			if err := tree.Grow(batch); err != nil {
				t.Fatal(err)
			}
			private, public, err := note.GenerateKey(rand.Reader, "bank")
			if err != nil {
				t.Fatal(err)
			}
			signer, err := note.NewSigner(private)
			if err != nil {
				t.Fatal(err)
			}
			verifier, err := note.NewVerifier(public)
			if err != nil {
				t.Fatal(err)
			}
			text := flog.Checkpoint{Origin: "bank/2026", Size: tree.Size(), Hash: tree.Root()}.Marshal()
			signed, err := note.Sign(&note.Note{Text: string(text)}, signer)
			if err != nil {
				t.Fatal(err)
			}
			if err := WriteFile(filepath.Join(dir, CheckpointFile), signed); err != nil {
				t.Fatal(err)
			}
			hashes := func(raw []byte) ([][]byte, error) {
				bundle := api.EntryBundle{}
				err := bundle.UnmarshalText(raw)
				var out [][]byte
				for _, e := range bundle.Entries {
					out = append(out, rfc6962.DefaultHasher.HashLeaf(e))
				}
				return out, err
			}
			if err := fsck.New("bank/2026", verifier, client.FileFetcher{Root: dir}, hashes, fsck.Opts{N: 1}).Check(context.Background()); err != nil {
				t.Errorf("tessera's checker finds the tree well: %v", err)
			}
		})
	}
}

func TestOpenSeesWhatWasAltered(t *testing.T) {
	dir := t.TempDir()
	tree, err := Open(dir, 0, rfc6962.DefaultHasher.EmptyRoot())
	if err != nil {
		t.Fatal(err)
	}
	var batch [][]byte
	for i := range 300 {
		batch = append(batch, entry(i))
	}
	if err := tree.Grow(batch); err != nil {
		t.Fatal(err)
	}
	for _, r := range Resources(0, 300) {
		if r.Whole == "" {
			continue // Open looks at the edge; verification looks at everything
		}
		path := filepath.Join(dir, r.Path)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(good)
		bad[len(bad)-1] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, 300, tree.Root()); err == nil {
			t.Errorf("a changed byte in %q is seen", r.Path)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGrowAfterAFailure(t *testing.T) {
	dir := t.TempDir()
	tree, err := Open(dir, 0, rfc6962.DefaultHasher.EmptyRoot())
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Grow([][]byte{entry(0)}); err != nil {
		t.Fatal(err)
	}
	root := tree.Root()
	away := dir + "-away"
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the folder was
		t.Fatal(err)
	}
	if err := tree.Grow([][]byte{entry(1)}); err == nil {
		t.Fatal("nothing can be written where the folder is gone")
	}
	if !bytes.Equal(root, tree.Root()) || tree.Size() != 1 {
		t.Error("a tree that could not grow is as it was")
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	if err := tree.Grow([][]byte{entry(1), entry(2)}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(tree.Root(), plainRoot([][]byte{entry(0), entry(1), entry(2)})) {
		t.Error("once it can be written again it goes on from there")
	}
}
