// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package storm has hosts, clusters and room fail under running instances: on a real hub
// with Fairway's own controllers, and real members with Kubernetes' own.
package storm
