// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package images

import (
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// DefaultUser is the account images run as when the Spec names none: no file
// of the image belongs to it, and it is not root.
const DefaultUser = "65532:65532"

// Spec says which image to make of which Go package.
type Spec struct {
	// Package is the main package to build, as the go command takes it
	// relative to the module root: "./examples/bank/services/account".
	Package string
	// Name is the binary's name in the image and, as "/<name>", its entrypoint.
	Name string
	// Tag is the version the image announces in its labels
	// (org.opencontainers.image.version). Where it is pushed to is said in Push.
	Tag string
	// User runs the binary, "uid" or "uid:gid"; DefaultUser when empty.
	User string
	// Labels are added to the image's configuration.
	Labels map[string]string
	// Vars are string variables set at link time, by "import/path.Name".
	Vars map[string]string
	// Args follow the entrypoint when the pod gives none.
	Args []string
	// Architecture is a GOARCH; the machine's own when empty. The operating
	// system is always linux.
	Architecture string
	// StopSignal asks the binary to end; SIGTERM when empty.
	StopSignal string
}

// Pause is the Spec of the program that holds a pod's namespaces open.
func Pause() Spec {
	return Spec{
		Package: "./internal/sandbox/images/pause",
		Name:    "pause",
		Tag:     "1",
		User:    "65535:65535",
	}
}

var (
	plainName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$`)
	userName  = regexp.MustCompile(`^[0-9]{1,10}(:[0-9]{1,10})?$`)
	varName   = regexp.MustCompile(`^[A-Za-z0-9_./-]+\.[A-Za-z_][A-Za-z0-9_]*$`)
)

// complete fills defaults and refuses what cannot be built.
func (s Spec) complete() (Spec, error) {
	if s.User == "" {
		s.User = DefaultUser
	}
	if s.Architecture == "" {
		s.Architecture = runtime.GOARCH
	}
	if s.StopSignal == "" {
		s.StopSignal = "SIGTERM"
	}
	switch {
	case s.Package == "" || strings.HasPrefix(s.Package, "-"):
		return s, fmt.Errorf("package %q is not a Go package: name one such as \"./cmd/x\"", s.Package)
	case !plainName.MatchString(s.Name):
		return s, fmt.Errorf("name %q is not usable as a file name: use lower-case letters, digits, '.', '_' and '-'", s.Name)
	case !userName.MatchString(s.User):
		return s, fmt.Errorf("user %q is not numeric: write \"uid\" or \"uid:gid\", so that clusters can see it is not root", s.User)
	}
	for name, value := range s.Vars {
		if !varName.MatchString(name) {
			return s, fmt.Errorf("variable %q is not \"import/path.Name\"", name)
		}
		if strings.ContainsAny(value, "'\"\n") {
			return s, fmt.Errorf("value %q of variable %q holds a quote or a new line, which the linker's flags cannot carry", value, name)
		}
	}
	return s, nil
}

// linkerFlags are the -ldflags of the build, in a stable order.
func (s Spec) linkerFlags() string {
	flags := []string{"-s", "-w"}
	for _, name := range slices.Sorted(maps.Keys(s.Vars)) {
		flags = append(flags, "-X", "'"+name+"="+s.Vars[name]+"'")
	}
	return strings.Join(flags, " ")
}
