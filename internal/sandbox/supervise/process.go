// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package supervise keeps the sandbox's processes running: it starts them in
// order, restarts those that die, remembers each by pid and start time so that
// a new supervisor recognises its own after a crash, and ends them in reverse
// order. It never looks for a process by its name.
package supervise

import (
	"context"
)

// Process describes one child process to keep running.
type Process struct {
	// Name is unique in the sandbox, for example "east-1/kube-apiserver" or
	// "east-biz-1/kubelet". Status, logs and After refer to it.
	Name string
	// Argv is the command and its arguments; Argv[0] is looked up in PATH when
	// it holds no slash.
	Argv []string
	// Env are additional "KEY=value" settings; the supervisor's own
	// environment is passed on below them.
	Env []string
	// Dir is the working directory; the supervisor's own when empty.
	Dir string
	// NetNS is the path of the network namespace to enter before running, for
	// example "/var/run/netns/fw-bank-east-biz-1"; none when empty.
	NetNS string
	// Cgroup is the control group to join before running, relative to each
	// hierarchy's root, for example "/fairway/bank/east-biz-1/system". It is
	// joined in every hierarchy where it exists. None when empty.
	Cgroup string
	// LogFile receives standard output and error, appended; it is rotated at
	// start when larger than 64 MiB. Discarded when empty.
	LogFile string
	// Ready returns nil once the process does its work. It is asked every
	// 100 ms after a start until it says so. A nil Ready means: ready at once.
	Ready func(ctx context.Context) error
	// After names processes that must be ready before this one starts, and
	// that are stopped only after this one has ended.
	After []string
	// Once marks a process that does its work and ends: exit code 0 means
	// done and it is not started again; another code is a failure and it is.
	Once bool
	// StopSignal ends the process gracefully; SIGTERM when 0.
	StopSignal int
	// StopSeconds is how long a graceful stop may take before SIGKILL; 10
	// when 0.
	StopSeconds int
}
