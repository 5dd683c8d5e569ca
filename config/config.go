// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package config carries the manifests that the binary itself needs: the custom
// resource definitions, from which the REST API takes its kinds, columns and schemas.
package config

import "embed"

// CRDs holds the generated custom resource definitions under "crd/".
//
//go:embed crd/*.yaml
var CRDs embed.FS
