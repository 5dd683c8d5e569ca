// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/placement/inventory"
	"github.com/fairway-cloud/fairway/internal/placement/server"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	apiserver "github.com/fairway-cloud/fairway/internal/server"
)

// namespaces lets somebody list in these, and do nothing else.
type namespaces []string

func (n namespaces) May(_ context.Context, _ identity.Person, q apiserver.Question) (bool, error) {
	for _, one := range n {
		if q.Namespace == one && q.Verb == "list" && q.Resource == "placements" {
			return true, nil
		}
	}
	return false, nil
}

// inventoried is a desk whose inventory has five seats of pay in retail-prod and two machines
// of card in cards-prod.
func inventoried(t *testing.T) *server.Desk {
	t.Helper()
	db, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "fairway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	list, err := inventory.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	p := placementv1.Placement{ObjectMeta: metav1.ObjectMeta{Name: "pay-0123456789"}, Spec: placementv1.PlacementSpec{Application: "pay", Revision: "pay-abcdef0123", ExpiresAt: metav1.NewTime(now), Assignments: []placementv1.Assignment{
		{Component: "web", Cell: placementv1.Cell{Cluster: "east-1", Pool: "retail", Zone: "business", Rack: "r1", DCN: "d1"}, Seats: []int32{0, 1, 2, 3, 4}},
	}}, Status: placementv1.PlacementStatus{Release: "pay-1"}}
	m := placementv1.MachineImport{Spec: placementv1.MachineImportSpec{Application: "card", Source: "cmdb", Instances: []placementv1.MachineInstance{
		{Component: "web", Seat: 1, DCN: "d1", DataCenter: "dc-east", Rack: "vm-1", Host: "vm1", Address: "10.9.0.1"}, {Component: "web", Seat: 2, DCN: "d1", DataCenter: "dc-east", Rack: "vm-1", Host: "vm2", Address: "10.9.0.2"},
	}}}
	for _, seen := range []inventory.Seen{
		{Namespace: "retail-prod", Name: "pay", Placements: []placementv1.Placement{p}, DataCenters: map[string]string{"east-1": "dc-east"}},
		{Namespace: "cards-prod", Name: "card", Imports: []placementv1.MachineImport{m}},
	} {
		if _, err := list.Apply(t.Context(), seen.Namespace, seen.Name, inventory.Truth(seen, now), now); err != nil {
			t.Fatal(err)
		}
	}
	return &server.Desk{Authority: readers{may: true}, Inventory: list}
}

func TestInventory(t *testing.T) {
	desk := inventoried(t)
	desk.Replay = func(_ context.Context, receiver string, _ int64) error {
		if receiver != "cmdb" {
			return fmt.Errorf("%w: %q", inventory.ErrNoReceiver, receiver)
		}
		return nil
	}
	other := *desk
	other.Authority = namespaces{"cards-prod"}
	unsure := *desk
	unsure.Authority = readers{err: errors.New("connection refused")}
	alone := *desk
	alone.Replay = nil
	for name, c := range map[string]struct {
		desk   *server.Desk
		method string
		target string
		body   string
		want   string
	}{
		"all":                 {desk, "GET", "?", "", `"continue":"","items":[{"namespace":"cards-prod"`},
		"a page":              {desk, "GET", "?limit=3", "", `"continue":"retail-prod/pay/web/0/7"`},
		"the next":            {desk, "GET", "?limit=10&continue=retail-prod/pay/web/2/7", "", `"sequence":7,"continue":"","items":[{"namespace":"retail-prod","tenant":"retail","environment":"prod","system":"","code":"","application":"pay","component":"web","seat":"web-3"`},
		"of one":              {desk, "GET", "?application=card&component=web&dcn=d1", "", `"seat":"web-1","on":"VirtualMachine"`},
		"of another DCN":      {desk, "GET", "?dcn=moon", "", `"items":[]`},
		"what changed":        {desk, "GET", "?since=5", "", `"sequence":7,"continue":"","items":[{"namespace":"cards-prod"`},
		"a page of changes":   {desk, "GET", "?since=0&limit=2", "", `"sequence":2,"continue":"2"`},
		"nothing changed":     {desk, "GET", "?since=7", "", `"sequence":7,"continue":"","items":[]`},
		"from the future":     {desk, "GET", "?since=8", "", "the sequence ends at 7"},
		"of another list":     {desk, "GET", "?since=5&epoch=moon", "", "the inventory was begun anew"},
		"odd limit":           {desk, "GET", "?limit=501", "", "could not read limit"},
		"odd since":           {desk, "GET", "?since=x", "", "could not read since"},
		"odd continue":        {desk, "GET", "?continue=x", "", "could not read continue"},
		"odd query":           {desk, "GET", "?moon=1", "", "no such parameter"},
		"only mine":           {&other, "GET", "?", "", `"items":[{"namespace":"cards-prod","tenant":"cards","environment":"prod","system":"","code":"","application":"card","component":"web","seat":"web-1"`},
		"only my changes":     {&other, "GET", "?since=0", "", `"items":[{"namespace":"cards-prod"`},
		"what is not mine":    {&other, "GET", "?namespace=retail-prod", "", `"items":[]`},
		"what is not there":   {&other, "GET", "?namespace=moon-prod", "", `"items":[]`},
		"rights away":         {&unsure, "GET", "?", "", "could not look at the fleet now"},
		"no inventory":        {&server.Desk{}, "GET", "?", "", "could not read the inventory now"},
		"told anew":           {desk, "POST", "/replay", `{"receiver":"cmdb","after":0}`, `{"receiver":"cmdb","after":0}`},
		"who may not":         {&other, "POST", "/replay", `{"receiver":"cmdb","after":0}`, "a system administrator does it"},
		"whom nobody knows":   {desk, "POST", "/replay", `{"receiver":"moon","after":0}`, "the configuration names none of that name"},
		"whom nobody told of": {&alone, "POST", "/replay", `{"receiver":"cmdb","after":0}`, "none is configured"},
		"before the start":    {desk, "POST", "/replay", `{"receiver":"cmdb","after":-1}`, "could not read what is asked"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, c.desk, c.method, "/api/v1/placement/inventory"+c.target, c.body)
			if !strings.Contains(got, c.want) {
				t.Errorf("want %s, got %s", c.want, got)
			}
			if c.desk == &other && strings.Contains(got, "retail-prod") {
				t.Errorf("what another tenant has is shown: %s", got)
			}
		})
	}
}

// TestPublishedContract holds what the API answers and what receivers are sent against the
// schemas that are published.
func TestPublishedContract(t *testing.T) {
	desk := inventoried(t)
	page := ask(t, desk, "GET", "/api/v1/placement/inventory", "")
	var read server.Inventory
	if err := json.Unmarshal([]byte(page), &read); err != nil {
		t.Fatal(err)
	}
	message, err := json.Marshal(inventory.Message{
		Version: 1, Receiver: "cmdb", ID: "e.0.retail-prod.pay.5", Epoch: read.Epoch, Namespace: "retail-prod", Application: "pay", Through: 5, Instances: read.Items,
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		schema string
		text   string
		fits   bool
	}{
		"page":           {"placement.Inventory", page, true},
		"message":        {"placement.InventoryMessage", string(message), true},
		"unknown state":  {"placement.InventoryMessage", strings.Replace(string(message), `"Reserved"`, `"Asleep"`, 1), false},
		"unknown field":  {"placement.InventoryMessage", strings.Replace(string(message), `"receiver"`, `"moon":1,"receiver"`, 1), false},
		"seat missing":   {"placement.InventoryMessage", strings.Replace(string(message), `"seat":"web-1",`, ``, 1), false},
		"another number": {"placement.InventoryMessage", strings.Replace(string(message), `"version":1`, `"version":2`, 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			var value any
			if err := json.Unmarshal([]byte(c.text), &value); err != nil {
				t.Fatal(err)
			}
			err := validate.AgainstSchema(published(t, c.schema), value, strfmt.Default)
			if (err == nil) != c.fits {
				t.Errorf("it fits: want %v, got %v", c.fits, err)
			}
		})
	}
}

// published is a schema of the API's document, with what it refers to within it.
func published(t *testing.T, name string) *spec.Schema {
	t.Helper()
	all := server.Schemas()
	var inline func(v any) any
	inline = func(v any) any {
		switch x := v.(type) {
		case map[string]any:
			if ref, ok := x["$ref"].(string); ok {
				return inline(all[strings.TrimPrefix(ref, "#/components/schemas/")])
			}
			out := map[string]any{}
			for k, v := range x {
				out[k] = inline(v)
			}
			return out
		case []any:
			out := make([]any, len(x))
			for i := range x {
				out[i] = inline(x[i])
			}
			return out
		}
		return v
	}
	raw, err := json.Marshal(inline(all[name]))
	if err != nil {
		t.Fatal(err)
	}
	schema := &spec.Schema{}
	if err := json.Unmarshal(raw, schema); err != nil {
		t.Fatal(err)
	}
	return schema
}
