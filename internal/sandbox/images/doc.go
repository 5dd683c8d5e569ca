// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package images builds container images from Go source without Docker, and
// brings them to a registry or into an archive that containerd imports.
//
// An image is one static binary in one layer, with fixed times, so that the
// same source gives the same digest on every machine with the same Go. Builds
// are kept under a cache folder by the content of the binary and the Spec.
//
//	b := images.Builder{Dir: moduleRoot, Cache: cacheDir}
//	for _, spec := range images.Bank("v1") {
//		img, err := b.Build(ctx, spec)
//		digest, err := images.Push(ctx, img, registry+"/bank/"+spec.Name+":"+spec.Tag)
//	}
//
//	pause, err := b.Build(ctx, images.Pause())
//	err = images.WriteArchive(path, "registry.local/fairway/pause:1", pause)
//	// ctr --address S --namespace k8s.io images import PATH
package images
