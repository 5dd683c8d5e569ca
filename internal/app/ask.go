// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"slices"
	"strings"
)

// Answers says what a member serves, one question at a time.
type Answers interface {
	Version() string
	Kind(apiVersion, kind string) bool
	Field(apiVersion, kind, path string) bool
}

// Ask asks a member for every kind and field that Render looks for.
func Ask(member Answers) Served {
	out := Served{Version: member.Version()}
	for _, key := range watchedKinds {
		if apiVersion, kind := cutKind(key); member.Kind(apiVersion, kind) {
			out.Kinds = append(out.Kinds, key)
		}
	}
	for _, f := range watchedFields {
		if apiVersion, kind := cutKind(f.kind); member.Field(apiVersion, kind, f.path) {
			out.Fields = append(out.Fields, f.key())
		}
	}
	slices.Sort(out.Kinds)
	slices.Sort(out.Fields)
	return out
}

// cutKind takes "apps/v1/Deployment" apart.
func cutKind(key string) (apiVersion, kind string) {
	i := strings.LastIndex(key, "/")
	return key[:i], key[i+1:]
}
