// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package sealing is the one place where Fairway's evidence is hashed and signed.
// Keys are those of signed notes (C2SP signed-note), kept in files. The default
// is SHA-256 with Ed25519; a build with the tag gm adds an SM3 digest and an SM2
// signature beside it (GB/T 32905, GB/T 32918), so that a bank that must use the
// national algorithms finds them on every checkpoint.
package sealing
