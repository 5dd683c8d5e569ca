// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package daemon runs one sandbox: the long-living process behind
// "fairway sandbox run". It brings the plan up phase by phase, watches over
// every process, and answers on a unix socket (package control).
//
// Everything is safe to repeat. After a kill -9 a new daemon over the same
// folder adopts the processes that still run and goes through the phases
// again; TearDown takes a sandbox down with or without a daemon.
//
// What comes after the control planes, registry and hosts (Fairway's own
// server, images, the example bank) is added as Steps by the command that
// wires the program:
//
//	daemon.Run(ctx, daemon.Options{Folder: f, Kubebox: box, Steps: []daemon.Step{
//		{Phase: daemon.PhaseServer, Name: "fairway server", Run: startServer},
//	}})
//
// A Step reads the plan (s.Plan), reaches clusters (s.Client, s.Kubeconfig),
// adds supervised processes (s.Supervise), says what it does (s.Say) and
// publishes addresses (s.SetURLs).
package daemon
