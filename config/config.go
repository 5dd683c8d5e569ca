// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package config carries the manifests that the binary itself needs: the custom
// resource definitions, from which the REST API takes its kinds, columns and schemas,
// and the policies and rights that have to hold on the hub.
package config

import "embed"

// CRDs holds the generated custom resource definitions under "crd/".
//
//go:embed crd/*.yaml
var CRDs embed.FS

// Installed holds everything that has to be on the hub as it was built: the
// definitions under "crd/", the admission policies under "admission/" and the rights
// under "rbac/".
//
//go:embed crd/*.yaml admission/*.yaml rbac/*.yaml
var Installed embed.FS
