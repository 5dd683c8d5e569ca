// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package docs keeps the documentation true: its links lead somewhere, its
// commands exist with their flags, its English and Chinese pages go together,
// and its lists are complete. Its tests need no sandbox.
//
// Commands of a page that are to be run stand in blocks that begin with
//
//	```sh run          the block must end with 0
//	```sh run exit=1   the block must end with 1
//
// Blocks returns them, so that the end-to-end test can run a page as a reader
// would: in their order, in one bash, from the root of the checkout, with the
// sandbox of the page up. Where its sandbox has another name than the default, it
// puts a shell function before them:
//
//	fairway() { if [ "$1" = sandbox ]; then command fairway "$@" --name e2e; else command fairway "$@"; fi; }
//
// and sets FAIRWAY_CONFIG to that sandbox's client file.
package docs
