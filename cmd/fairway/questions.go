// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import "github.com/fairway-cloud/fairway/internal/server"

func (h *house) join() server.JoinFunc         { return nil }
func (h *house) check() server.ApplicationFunc { return nil }
func (h *house) diff() server.ApplicationFunc  { return nil }
