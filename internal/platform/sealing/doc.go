// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package sealing is the one place where Fairway's evidence is hashed and signed,
// and where its connections are sealed. Keys are those of signed notes (C2SP signed-note), kept in files. The default
// is SHA-256 with Ed25519; a build with the tag gm adds an SM3 digest and an SM2
// signature beside it (GB/T 32905, GB/T 32918), so that a bank that must use the
// national algorithms finds them on every checkpoint.
//
// Connections go through Client and Server, whose words are those of no library:
// files of certificates, names, who shows what. Behind them stands one transport,
// chosen by the build: TLS 1.2 and 1.3 of Go's standard library, in the build with gm
// too. Another, such as TLCP (GB/T 38636), is one file in this package with a build
// tag of its own that appends a suite with a transport; nothing else changes. The
// contract in connection_test.go is put to whatever the build has.
package sealing
