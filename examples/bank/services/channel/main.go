// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Command channel is a component of the example bank: where customers come in. It asks account.
package main

import "github.com/fairway-cloud/fairway/examples/bank/services/relay"

func main() { relay.Main("channel", "account") }
