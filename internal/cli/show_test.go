// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const pools = `{"items":[
 {"metadata":{"name":"retail","creationTimestamp":"2026-11-20T11:55:00Z"},"spec":{"zones":["dmz","core"]},
  "status":{"hosts":{"ready":3},"conditions":[{"type":"Stalled","status":"False"},{"type":"Ready","status":"True"}]}},
 {"metadata":{"name":"资源池","creationTimestamp":"2026-11-18T12:00:00Z"},"spec":{}}],"metadata":{}}`

func TestGet(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		get    Get
		words  string
		want   string
		said   string
		exit   int
	}{
		"table": {
			reason: "columns of the server, wide characters aligned, what is not set shown as such", words: "pools",
			want: "" +
				"NAME     ZONES      HOSTS    READY    AGE\n" +
				"retail   dmz,core   3        True     5m\n" +
				"资源池   <none>     <none>   <none>   2d\n",
		},
		"no headings": {reason: "for scripts", words: "pools", get: Get{NoHeadings: true}, want: "retail   dmz,core   3        True     5m\n资源池   <none>     <none>   <none>   2d\n"},
		"names":       {reason: "for scripts", words: "pools", get: Get{Output: Name}, want: "pool.fleet.fairway.cloud/retail\npool.fleet.fairway.cloud/资源池\n"},
		"wide": {
			reason: "all columns, and the namespace where several are listed", words: "apps", get: Get{Output: Wide},
			want: "NAMESPACE     NAME   LATEST   MACHINES   LEVEL\nretail-prod   pay    pay-1    4          l3\n",
		},
		"one namespace": {reason: "its name is known", words: "apps", get: Get{Selection: Selection{Namespace: "retail-prod"}}, want: "NAME   LATEST   MACHINES\npay    pay-1    4\n"},
		"instances": {
			reason: "by seat", words: "instances", get: Get{Selection: Selection{Namespace: "retail-prod"}},
			want: "SEAT        IP         RESTARTS   AGE\naccount-1   10.0.0.7   0          10s\n",
		},
		"instances as JSON": {
			reason: "the list that is promised", words: "instances", get: Get{Output: JSON},
			want: "{\n  \"items\": [\n    {\n      \"createdAt\": \"2026-11-20T11:59:50Z\",\n      \"ip\": \"10.0.0.7\",\n      \"namespace\": \"retail-prod\",\n      \"restarts\": 0,\n      \"seat\": \"account-1\"\n    }\n  ]\n}\n",
		},
		"one":     {reason: "one named object is itself, not a list", words: "application pay", get: Get{Selection: Selection{Namespace: "retail-prod"}, Output: YAML}, want: "metadata:\n  name: pay\n"},
		"slash":   {reason: "as other commands print names", words: "app/pay app/pay", get: Get{Selection: Selection{Namespace: "retail-prod"}, Output: Name}, exit: ExitUsage},
		"several": {reason: "several kinds at once", words: "pools,releases", get: Get{Output: Name}, want: "pool.fleet.fairway.cloud/retail\npool.fleet.fairway.cloud/资源池\n"},
		"nothing": {reason: "said beside the data", words: "releases", get: Get{Selection: Selection{Namespace: "retail-prod"}}, said: "no releases found in \"retail-prod\"\n"},
		"unknown": {reason: "the kinds that there are help", words: "elephants", exit: ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			a, c := newAPI(t)
			a.on("GET /api/v1/fleet/pools", 200, pools)
			a.on("GET /api/v1/release/releases", 200, `{"items":[],"metadata":{}}`)
			a.on("GET /api/v1/app/applications", 200, `{"items":[{"metadata":{"name":"pay","namespace":"retail-prod"},"spec":{"securityLevel":"l3"},"status":{"latestRevision":"pay-1","onMachines":{"instances":4}}}]}`)
			a.on("GET /api/v1/app/applications/retail-prod/pay", 200, `{"metadata":{"name":"pay"}}`)
			a.on("GET /api/v1/delivery/instances", 200, `{"items":[{"seat":"account-1","namespace":"retail-prod","ip":"10.0.0.7","restarts":0,"createdAt":"2026-11-20T11:59:50Z"}]}`)
			out, said := &bytes.Buffer{}, &bytes.Buffer{}
			tc.get.Out, tc.get.Progress, tc.get.Now = out, said, now
			err := tc.get.Run(context.Background(), c, strings.Fields(tc.words))
			if ExitOf(err) != tc.exit {
				t.Fatalf("%s: want exit %d, got %v", tc.reason, tc.exit, err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.said, said.String()); diff != "" {
				t.Errorf("%s: beside the data (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSortKeys(t *testing.T) {
	for given, want := range map[string]string{
		"":                              "",
		"age":                           "-metadata.creationTimestamp",
		"-AGE":                          "metadata.creationTimestamp",
		"ready,-hosts":                  "status.conditions.Ready.status,-status.hosts.ready",
		"{.metadata.creationTimestamp}": "metadata.creationTimestamp",
		"name":                          "metadata.name",
	} {
		if got := sortKeys(given, kindOf(t, "pools")); got != want {
			t.Errorf("%q: want %q, got %q", given, want, got)
		}
	}
	if got := sortKeys("-restarts,seat", kindOf(t, "instances")); got != "-restarts,seat" {
		t.Errorf("fields of instances are columns: got %q", got)
	}
}

func TestNothingMovesTheCursor(t *testing.T) {
	view := View{Kind: kindOf(t, "tenants"), Now: now}
	out := &bytes.Buffer{}
	evil := "\x1b[2J\u202eevil\nline"
	if err := view.ShowList(out, []Object{{"metadata": map[string]any{"name": "t"}, "spec": map[string]any{"displayName": evil}}}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u202e") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("a name must not rewrite the terminal: %q", out)
	}
}

func TestDescribe(t *testing.T) {
	o := objectOf(t, `{"metadata":{"name":"pay","namespace":"retail-prod","creationTimestamp":"2026-11-20T11:00:00Z","labels":{"a":"b"}},
	 "spec":{"identity":{"displayName":"手机银行"},"components":[{"name":"account","image":"x:v1","ports":[{"name":"http","port":8080}]}],"notes":"`+strings.Repeat("n", 400)+`"},
	 "status":{"observedGeneration":3,"running":[{"component":"account","dcn":"dcn-east-1","ready":2}],
	  "conditions":[{"type":"Ready","status":"False","reason":"InstancesMissing","message":"1 of 2","lastTransitionTime":"2026-11-20T11:59:00Z"}]}}`)
	out := &bytes.Buffer{}
	if err := Describe(out, kindOf(t, "applications"), o, now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Application pay\n", "Namespace:  retail-prod\n", "(60m ago)\n", "  a=b\n", "  identity:\n    displayName:  手机银行\n",
		"    account:\n", "image:", "x:v1", "NAME   PORT\n", "http   8080\n",
		"COMPONENT   DCN          READY\n", "(400 bytes; -o yaml shows all)",
		"  TYPE    STATUS   REASON             SINCE   MESSAGE\n  Ready   False    InstancesMissing   60s     1 of 2\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the description lacks %q:\n%s", want, out)
		}
	}
}

func TestExplain(t *testing.T) {
	document := objectOf(t, `{"components":{"schemas":{"app.Application":{"type":"object","description":"Application is what the bank wants.","properties":{
	 "spec":{"type":"object","required":["components"],"properties":{"components":{"type":"array","maxItems":32,"description":"components are the parts.",
	  "items":{"type":"object","properties":{"image":{"type":"string","description":"image that runs."}}}}}}}}}}}`)
	out := &bytes.Buffer{}
	if err := Explain(out, document, kindOf(t, "applications"), []string{"spec", "components"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"KIND:     Application (app.fairway.cloud/v1alpha1)", "FIELD:    spec.components <[]object>", "components are the parts.", "Entries, at most: 32", "image <string>", "image that runs."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the explanation lacks %q:\n%s", want, out)
		}
	}
	if err := Explain(out, document, kindOf(t, "applications"), []string{"spec", "colour"}); ExitOf(err) != ExitNotFound || !strings.Contains(err.Error(), "components") {
		t.Errorf("what is not there is answered with what is, got %v", err)
	}
}

// The card of an application says what runs on virtual machines still, who says so, and of when
// that is.
func TestDescribeTellsOfMachines(t *testing.T) {
	out := &bytes.Buffer{}
	o := objectOf(t, `{"metadata":{"name":"pay","namespace":"retail-prod"},"status":{"onMachines":{"instances":2,"counts":[
		{"component":"web","source":"cmdb","instances":2,"observedAt":"2026-11-20T11:00:00Z","validUntil":"2026-11-21T11:00:00Z"}]}}}`)
	if err := Describe(out, Kind{Kind: "Application", Namespaced: true}, o, now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"onMachines", "instances: 2", "COMPONENT INSTANCES OBSERVED AT SOURCE VALID UNTIL", "web 2 2026-11-20T11:00:00Z cmdb 2026-11-21T11:00:00Z"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}
