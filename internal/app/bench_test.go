// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"encoding/json"
	"testing"

	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

// BenchmarkFreezeAndRender makes a Revision of an application that uses every
// field, and renders it for one cluster of the newest Kubernetes. "floor"
// writes the rendered objects as JSON once.
func BenchmarkFreezeAndRender(b *testing.B) {
	application, world := apptest.Everything(), apptest.Bank()
	world.SecretVersions = map[string]string{"signing": "7", "tls": "3"}
	frozen, err := app.Freeze(application, apptest.Images(application), world)
	if err != nil {
		b.Fatal(err)
	}
	k8s := published(b, versions[len(versions)-1])
	out, err := app.Render(apptest.East(frozen.Content), k8s.served)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("freeze", func(b *testing.B) {
		for b.Loop() {
			if _, err := app.Freeze(application, apptest.Images(application), world); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("render", func(b *testing.B) {
		for b.Loop() {
			if _, err := app.Render(apptest.East(frozen.Content), k8s.served); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(objects(out))), "objects")
	})
	b.Run("floor", func(b *testing.B) {
		all := objects(out)
		for b.Loop() {
			for _, o := range all {
				if _, err := json.Marshal(o.Object); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
