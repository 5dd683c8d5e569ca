// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package kubebox finds or builds the binary that holds the Kubernetes of the
// sandbox (the nested module kubebox/) and says how its components are run:
// "kubebox <component> flags…".
//
// The binary lies in a cache directory under a name that contains the hash of
// its sources, so it is built once per version of kubebox/ and never again:
//
//	path, err := kubebox.Ensure(ctx, kubebox.Options{Progress: os.Stderr})
//	cmd := exec.Command(path, "kube-apiserver", "--version")
package kubebox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Version is the Kubernetes version that the binary reports.
const Version = "v1.36.3"

// BinaryVariable names the environment variable with the path of a ready-made
// kubebox binary (as a bundle carries it); nothing is built then.
const BinaryVariable = "FAIRWAY_KUBEBOX"

// CacheVariable names the environment variable with the cache directory.
const CacheVariable = "FAIRWAY_CACHE"

// Options say where to build; the zero value is right for most callers.
type Options struct {
	// Source is the folder kubebox/; found from the working directory or the
	// running binary upwards when empty.
	Source string
	// Cache is the folder that keeps the binary; CacheDir() when empty.
	Cache string
	// Progress receives plain lines while a build runs; none when nil.
	Progress io.Writer
}

// CacheDir is $FAIRWAY_CACHE, else $XDG_CACHE_HOME/fairway, else ~/.cache/fairway.
func CacheDir() string {
	if dir := os.Getenv(CacheVariable); dir != "" {
		return dir
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "fairway")
	}
	return "/var/cache/fairway"
}

// Ensure returns the path of the kubebox binary, building it first when the
// cache lacks it. Concurrent callers, in other processes too, wait for one
// build.
func Ensure(ctx context.Context, o Options) (string, error) {
	if path := os.Getenv(BinaryVariable); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("could not use the kubebox binary named by %s: %w", BinaryVariable, err)
		}
		return path, nil
	}
	source := o.Source
	if source == "" {
		found, err := FindSource()
		if err != nil {
			if path := besideExecutable(); path != "" {
				return path, nil
			}
			return "", err
		}
		source = found
	}
	cache := o.Cache
	if cache == "" {
		cache = CacheDir()
	}
	sum, err := Hash(source)
	if err != nil {
		return "", err
	}
	if ready := readyPath(filepath.Join(filepath.Dir(source), "bundle"), sum); isFile(ready) {
		return ready, nil
	}
	path := filepath.Join(cache, "kubebox-"+sum)
	if isFile(path) {
		return path, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("could not make the cache folder %q: %w", cache, err)
	}
	unlock, err := lock(ctx, path+".lock", o.Progress)
	if err != nil {
		return "", err
	}
	defer unlock()
	if isFile(path) {
		return path, nil
	}
	if err := build(ctx, source, path, o.Progress); err != nil {
		return "", err
	}
	return path, nil
}

// ReadyPath is where Ensure finds the binary in a bundle that was unpacked as
// the folder bundle/ beside source; a binary of other sources is not taken.
func ReadyPath(source, bundle string) (string, error) {
	sum, err := Hash(source)
	return readyPath(bundle, sum), err
}

func readyPath(bundle, sum string) string { return filepath.Join(bundle, "bin", "kubebox-"+sum) }

// Hash is the first 16 hex digits of the SHA-256 over the module files, the Go
// files, tests aside, and the build flags of the folder source.
func Hash(source string) (string, error) {
	var files []string
	err := filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if !entry.IsDir() && (name == "go.mod" || name == "go.sum" || strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")) {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("could not read the sources of kubebox in %q: %w", source, err)
	}
	sort.Strings(files)
	hash := sha256.New()
	_, _ = fmt.Fprintln(hash, flags())
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("could not read the sources of kubebox: %w", err)
		}
		relative, _ := filepath.Rel(source, file)
		_, _ = fmt.Fprintf(hash, "%s %d\n", relative, len(content))
		hash.Write(content)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

// FindSource looks for the folder kubebox/ of the Fairway checkout upwards
// from the working directory, then from the running binary.
func FindSource() (string, error) {
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if exe, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(exe))
	}
	for _, start := range starts {
		for dir := start; ; dir = filepath.Dir(dir) {
			if isFile(filepath.Join(dir, "kubebox", "go.mod")) && isFile(filepath.Join(dir, "go.mod")) {
				return filepath.Join(dir, "kubebox"), nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", fmt.Errorf("could not find the sources of kubebox above %s: run inside the Fairway checkout, or name a ready-made binary in %s",
		strings.Join(starts, " or "), BinaryVariable)
}

func besideExecutable() string {
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	if path := filepath.Join(filepath.Dir(exe), "kubebox"); isFile(path) {
		return path
	}
	return ""
}

func flags() []string {
	major, minor, _ := strings.Cut(strings.TrimPrefix(Version, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	const pkg = "k8s.io/component-base/version."
	return []string{
		"build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X " + pkg + "gitVersion=" + Version + " -X " + pkg + "gitMajor=" + major + " -X " + pkg + "gitMinor=" + minor,
	}
}

func build(ctx context.Context, source, path string, progress io.Writer) error {
	temporary := fmt.Sprintf("%s.%d.tmp", path, os.Getpid())
	defer func() { _ = os.Remove(temporary) }()
	cmd := exec.CommandContext(ctx, "go", append(flags(), "-o", temporary, "./cmd/kubebox")...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output

	say(progress, "kubebox: building Kubernetes %s from its Go modules (about 5 minutes the first time on 2 cores)", Version)
	began := time.Now()
	stop := every(15*time.Second, func() { say(progress, "kubebox: still building, %s", time.Since(began).Round(time.Second)) })
	err := cmd.Run()
	stop()
	if err != nil {
		return fmt.Errorf("could not build kubebox in %q: %w\n%s", source, err, tail(output.String(), 4000))
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("could not keep the kubebox binary: %w", err)
	}
	say(progress, "kubebox: built in %s", time.Since(began).Round(time.Second))
	return nil
}

func lock(ctx context.Context, path string, progress io.Writer) (func(), error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("could not open the lock of the kubebox build: %w", err)
	}
	for told := false; ; told = true {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = file.Close()
			return nil, fmt.Errorf("could not lock %q: %w", path, err)
		}
		if !told {
			say(progress, "kubebox: waiting for a build that another process runs")
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("could not wait for the build of kubebox: %w", context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// every calls do at each interval until the returned function is called.
func every(interval time.Duration, do func()) (stop func()) {
	ticker := time.NewTicker(interval)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-ticker.C:
				do()
			case <-done:
				return
			}
		}
	}()
	return func() { ticker.Stop(); close(done) }
}

func say(w io.Writer, format string, args ...any) {
	if w != nil {
		_, _ = fmt.Fprintf(w, format+"\n", args...)
	}
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
