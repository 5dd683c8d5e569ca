// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Command account is a component of the example bank: it checks transfers and asks ledger.
package main

import "github.com/fairway-cloud/fairway/examples/bank/services/relay"

func main() { relay.Main("account", "ledger") }
