// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package tiles keeps a Merkle tree as files in the layout of C2SP tlog-tiles,
// which transparency-dev/tessera and every other client of that format reads:
// tiles of 256 hashes, bundles of 256 entries, a signed checkpoint.
//
// One writer grows the tree. A tree is as large as its checkpoint says; files
// that reach further are what a crash left, and are written again. Nothing that
// a checkpoint covers is ever written with other content.
package tiles

import "github.com/transparency-dev/tessera/api/layout"

// Width is the number of hashes in a tile, and of entries in a bundle.
const Width = layout.TileWidth

// MostBytes is the size of an entry that a bundle takes.
const MostBytes = 1<<16 - 1

// CheckpointFile is the name of the file that holds the checkpoint.
const CheckpointFile = layout.CheckpointPath
