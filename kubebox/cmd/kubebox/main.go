// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Command kubebox is the Kubernetes of the sandbox in one binary: the first
// argument (or the name it was started under) says which component runs.
// It holds the unmodified components of k8s.io/kubernetes, etcd, kubectl,
// CoreDNS, kwok and the distribution registry.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// components maps a component's name to its entry point. Each reads os.Args,
// whose first element is the component's name, and returns the process's exit
// code.
var components = map[string]func() int{
	"coredns":                 runCoreDNS,
	"etcd":                    runEtcd,
	"kube-apiserver":          runAPIServer,
	"kube-controller-manager": runControllerManager,
	"kube-proxy":              runProxy,
	"kube-scheduler":          runScheduler,
	"kubectl":                 runKubectl,
	"kubelet":                 runKubelet,
	"kwok":                    runKwok,
	"kwok-stages":             printKwokStages,
	"registry":                runRegistry,
}

func main() {
	name := filepath.Base(os.Args[0])
	if _, ok := components[name]; !ok && len(os.Args) > 1 {
		name = os.Args[1]
		os.Args = append([]string{name}, os.Args[2:]...)
	}
	run, ok := components[name]
	if !ok {
		names := slices.Sorted(maps.Keys(components))
		fmt.Fprintf(os.Stderr, "kubebox: %q is no component; use one of: %s\n", name, strings.Join(names, ", "))
		os.Exit(2)
	}
	os.Exit(run())
}
