// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import "github.com/fairway-cloud/fairway/internal/sandbox/bank"

func init() { sandboxSteps = append(sandboxSteps, bank.Steps()...) }
