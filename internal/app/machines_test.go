// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
)

// TestOnMachines counts what imports tell of, whatever their order.
func TestOnMachines(t *testing.T) {
	seen := metav1.NewTime(time.Date(2026, 3, 10, 3, 0, 0, 0, time.UTC))
	from := func(application, source string, valid time.Duration, instances ...placementv1.MachineInstance) placementv1.MachineImport {
		return placementv1.MachineImport{Spec: placementv1.MachineImportSpec{
			Application: application, Source: source, ObservedAt: seen, ValidFor: metav1.Duration{Duration: valid}, Instances: instances,
		}}
	}
	web := func(seat int32) placementv1.MachineInstance {
		return placementv1.MachineInstance{Component: "web", Seat: seat}
	}
	going := from("pay", "old", time.Hour, web(9))
	going.DeletionTimestamp = &seen
	until := func(d time.Duration) metav1.Time { return metav1.NewTime(seen.Add(d)) }
	for name, c := range map[string]struct {
		reason  string
		imports []placementv1.MachineImport
		want    *appv1.OnMachines
	}{
		"none":    {"nobody tells of any", nil, nil},
		"another": {"those of another application, and of an import that goes", []placementv1.MachineImport{from("cards", "cmdb", time.Hour, web(1)), going}, nil},
		"empty":   {"a source that knows of none any more", []placementv1.MachineImport{from("pay", "cmdb", time.Hour)}, nil},
		"some": {"by component, with source and age; 24 hours where nobody says how long", []placementv1.MachineImport{
			from("pay", "cmdb", 0, web(1), placementv1.MachineInstance{Component: "db", Seat: 1}, web(2)),
		}, &appv1.OnMachines{Instances: 3, Counts: []appv1.MachineCount{
			{Component: "db", Source: "cmdb", Instances: 1, ObservedAt: seen, ValidUntil: until(24 * time.Hour)},
			{Component: "web", Source: "cmdb", Instances: 2, ObservedAt: seen, ValidUntil: until(24 * time.Hour)},
		}}},
		"two sources": {"what both name counts once, and both are told", []placementv1.MachineImport{
			from("pay", "vcenter", time.Hour, web(1), web(2)), from("pay", "cmdb", 2*time.Hour, web(2)),
		}, &appv1.OnMachines{Instances: 2, Counts: []appv1.MachineCount{
			{Component: "web", Source: "cmdb", Instances: 1, ObservedAt: seen, ValidUntil: until(2 * time.Hour)},
			{Component: "web", Source: "vcenter", Instances: 2, ObservedAt: seen, ValidUntil: until(time.Hour)},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, app.OnMachines("pay", c.imports)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}
