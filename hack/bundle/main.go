// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Command bundle puts what the sandbox would else build into the folder of a
// bundle: the Kubernetes binary and the images, under the names by which
// packages kubebox and images look for them. Run it in the tree that the
// bundle carries: "go run ./hack/bundle FOLDER".
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fairway-cloud/fairway/internal/sandbox/images"
	"github.com/fairway-cloud/fairway/internal/sandbox/kubebox"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// example is the topology whose images a bundle holds.
const example = "examples/bank/sandbox.yaml"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./hack/bundle FOLDER")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, folder string) error {
	source, err := kubebox.FindSource()
	if err != nil {
		return err
	}
	box, err := kubebox.Ensure(ctx, kubebox.Options{Source: source, Progress: os.Stderr})
	if err != nil {
		return err
	}
	ready, err := kubebox.ReadyPath(source, folder)
	if err != nil {
		return err
	}
	if err := copyFile(box, ready); err != nil {
		return fmt.Errorf("could not copy the Kubernetes binary: %w", err)
	}
	content, err := os.ReadFile(example)
	if err != nil {
		return fmt.Errorf("could not read the example's topology: %w", err)
	}
	sandbox, err := topology.Parse(content)
	if err != nil {
		return err
	}
	specs := []images.Spec{images.Pause()}
	for _, version := range sandbox.Spec.Fairway.Images {
		specs = append(specs, images.Bank(version)...)
	}
	for _, spec := range specs {
		if err := (images.Builder{Dir: filepath.Dir(source)}).Keep(ctx, spec, folder); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
