// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package manifests reads folders of Kubernetes manifests and applies them to
// a cluster of the sandbox or of a test.
package manifests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FieldOwner is the field manager of what Apply writes.
const FieldOwner = "fairway-sandbox"

// Root finds the Fairway checkout upwards from the working directory, then
// from the running binary: the folder that holds config/ and go.mod.
func Root() (string, error) {
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if exe, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(exe))
	}
	for _, start := range starts {
		for dir := start; ; dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				if _, err := os.Stat(filepath.Join(dir, "config")); err == nil {
					return dir, nil
				}
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", errors.New("could not find the Fairway checkout (the folder with go.mod and config/): run inside it")
}

// Load reads every .yaml, .yml and .json file of a folder (or one file), in
// the order of their names, sub-folders included.
func Load(path string) ([]*unstructured.Unstructured, error) {
	var files []string
	err := filepath.WalkDir(path, func(file string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch filepath.Ext(file) {
		case ".yaml", ".yml", ".json":
			if !entry.IsDir() && entry.Name() != "kustomization.yaml" {
				files = append(files, file)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("could not read the manifests in %q: %w", path, err)
	}
	sort.Strings(files)
	var objects []*unstructured.Unstructured
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("could not read a manifest: %w", err)
		}
		found, err := Parse(content)
		if err != nil {
			return nil, fmt.Errorf("could not read the manifest %q: %w", file, err)
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// Parse reads one YAML or JSON stream of objects.
func Parse(content []byte) ([]*unstructured.Unstructured, error) {
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// Apply applies the objects in their order by server-side apply, waiting for
// kinds and namespaces that the server is about to know, and at last until
// every CustomResourceDefinition among them is served.
func Apply(ctx context.Context, c client.Client, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		err := until(ctx, func() error {
			applied := object.DeepCopy()
			return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner(FieldOwner), client.ForceOwnership)
		})
		if err != nil {
			return fmt.Errorf("could not apply %s %q: %w", object.GetKind(), name(object), err)
		}
	}
	for _, object := range objects {
		if object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		if err := established(ctx, c, object); err != nil {
			return err
		}
	}
	return nil
}

// until repeats do while the server does not know the kind yet or cannot be
// asked, for at most 20 seconds.
func until(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		err := do()
		soon := meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err)
		if !soon {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func established(ctx context.Context, c client.Client, crd *unstructured.Unstructured) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		seen := &unstructured.Unstructured{}
		seen.SetGroupVersionKind(crd.GroupVersionKind())
		err := c.Get(ctx, client.ObjectKeyFromObject(crd), seen)
		if err == nil && condition(seen, "Established") {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("could not wait for the kind %q to be served: %w", crd.GetName(), errors.Join(ctx.Err(), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func condition(object *unstructured.Unstructured, kind string) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == kind && c["status"] == "True" {
			return true
		}
	}
	return false
}

func name(object *unstructured.Unstructured) string {
	if object.GetNamespace() != "" {
		return object.GetNamespace() + "/" + object.GetName()
	}
	return object.GetName()
}
