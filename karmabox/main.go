// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Command karmabox is the unmodified scheduler of Karmada, for measurements beside
// Fairway's. It is a module of its own, so that nothing of Karmada comes into Fairway.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/karmada-io/karmada/cmd/scheduler/app"
)

func main() {
	os.Exit(cli.Run(app.NewSchedulerCommand(ctrl.SetupSignalHandler())))
}
