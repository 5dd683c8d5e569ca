// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package crosscheck

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/index"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func line(id, stage, verb, who, groups, impersonated, group, resource, namespace, name, uri string, code int, at time.Time) string {
	extra := ""
	if impersonated != "" {
		extra = fmt.Sprintf(`"impersonatedUser":{"username":%q,"groups":["retail:developers"]},`, impersonated)
	}
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":%q,"stage":%q,"requestURI":%q,"verb":%q,"user":{"username":%q,"groups":[%q]},%s"objectRef":{"resource":%q,"namespace":%q,"name":%q,"apiGroup":%q,"apiVersion":"v1alpha1"},"responseStatus":{"code":%d},"requestReceivedTimestamp":%q}`+"\n",
		id, stage, uri, verb, who, groups, extra, resource, namespace, name, group, code, at.Format("2006-01-02T15:04:05.000000Z"))
}

func act(person, subject, cluster string, from, to time.Duration) index.Act {
	a := index.Act{Time: noon.Add(from), Act: audit.Act{Person: person, Subject: subject, Cluster: cluster}}
	if to > 0 {
		ended := noon.Add(to)
		a.Ended = &ended
	}
	return a
}

func ids(all []Write) (out []string) {
	for _, w := range all {
		out = append(out, w.Audit)
	}
	return out
}

func TestWritesThatNoActAccountsForAreFound(t *testing.T) {
	const done, group = "ResponseComplete", "release.fairway.cloud"
	log := line("known", done, "create", "fairway", "fairway:system", "p-7", group, "releases", "retail-prod", "r-1", "/apis", 201, noon) +
		line("generated", done, "create", "fairway", "fairway:system", "p-7", group, "releases", "retail-prod", "", "/apis", 201, noon) +
		line("other-person", done, "patch", "admin", "system:masters", "", group, "releases", "retail-prod", "r-1", "/apis", 200, noon) +
		line("other-time", done, "patch", "fairway", "x", "p-7", group, "releases", "retail-prod", "r-1", "/apis", 200, noon.Add(time.Hour)) +
		line("controller", done, "update", "fairway", "fairway:system", "", group, "releases", "retail-prod", "r-1", "/apis", 200, noon) +
		line("read", done, "get", "admin", "x", "", group, "releases", "retail-prod", "r-1", "/apis", 200, noon) +
		line("refused", done, "delete", "admin", "x", "", group, "releases", "retail-prod", "r-1", "/apis", 403, noon) +
		line("dry", done, "delete", "admin", "x", "", group, "releases", "retail-prod", "r-1", "/apis?dryRun=All", 200, noon) +
		line("begun", "RequestReceived", "delete", "admin", "x", "", group, "releases", "retail-prod", "r-1", "/apis", 200, noon) +
		line("foreign", done, "create", "admin", "x", "", "apps", "deployments", "d", "d", "/apis", 201, noon) +
		line("people", done, "patch", "fairway", "fairway:system", "p-7", "identity.fairway.cloud", "people", "", "p-9", "/apis", 200, noon) +
		line("classes", done, "create", "admin", "x", "", "tenancy.fairway.cloud", "availabilityclasses", "", "gold", "/apis", 201, noon)
	writes, err := Hub(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"known", "generated", "other-person", "other-time", "people", "classes"}, ids(writes)); diff != "" {
		t.Errorf("the writes (-want +got):\n%s", diff)
	}
	acts := []index.Act{act("p-7", "Person//p-9", "", 0, time.Second), act("p-7", "Release/retail-prod/r-1", "", -time.Second, time.Second), act("admin", "AvailabilityClass/gold", "", -time.Second, 0)}
	if diff := cmp.Diff([]string{"other-person", "other-time"}, ids(Unaccounted(writes, acts))); diff != "" {
		t.Errorf("what nobody accounts for (-want +got):\n%s", diff)
	}
	if from, to := Window(writes); !from.Before(noon) || !to.After(noon.Add(time.Hour)) {
		t.Errorf("%s %s", from, to)
	}
	if got := writes[2].String(); got != "2026-11-28T12:00:00Z: patch of release/retail-prod/r-1 by admin (event other-person)" {
		t.Errorf("%q", got)
	}
}

func TestWritesOfFairwayInAMember(t *testing.T) {
	const done = "ResponseComplete"
	log := line("step", done, "patch", "fairway", "fairway:hub", "", "apps", "deployments", "retail-prod-pay", "account", "/apis", 200, noon) +
		line("late", done, "patch", "fairway", "fairway:hub", "", "apps", "deployments", "retail-prod-pay", "account", "/apis", 200, noon.Add(time.Hour)) +
		line("lease", done, "update", "fairway", "fairway:hub", "", "coordination.k8s.io", "leases", "fairway-system", "epoch", "/apis", 200, noon) +
		line("somebody", done, "patch", "ops", "x", "", "apps", "deployments", "d", "d", "/apis", 200, noon)
	writes, err := Member(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	acts := []index.Act{act("p-7", "Delivery/fairway-cluster-east-1/x", "east-1", -time.Minute, time.Second)}
	if diff := cmp.Diff([]string{"late"}, ids(UnaccountedIn("east-1", writes, acts))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"step", "late"}, ids(UnaccountedIn("east-2", writes, acts))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestALogThatIsCutIsNotReadAsWhole(t *testing.T) {
	if _, err := Hub(strings.NewReader("{}\n\n{\"kind\":\"Ev")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("%v", err)
	}
	if writes, err := Hub(strings.NewReader("")); err != nil || len(writes) != 0 {
		t.Errorf("%v %v", writes, err)
	}
}

func TestWhatAnActWrites(t *testing.T) {
	for _, c := range []struct {
		reason, act, written string
		want                 bool
	}{
		{"itself", "Release/retail-prod/r-1", "Release/retail-prod/r-1", true},
		{"another", "Release/retail-prod/r-1", "Release/retail-prod/r-2", false},
		{"elsewhere", "Release/retail-prod/r-1", "Release/cards-prod/r-1", false},
		{"its name was made by the hub", "POST /apis/release.fairway.cloud/v1alpha1/namespaces/retail-prod/releases", "Release/retail-prod/r-7", true},
		{"a decision on it", "ApprovalRequest/retail-prod/r-1-1", "Decision/retail-prod/r-1-1-x7k2p", true},
		{"a decision on another", "ApprovalRequest/retail-prod/r-1-1", "Decision/retail-prod/r-1-2-x7k2p", false},
		{"a decision on one whose name goes on", "ApprovalRequest/retail-prod/r-1", "Decision/retail-prod/r-11-x7k2p", false},
		{"a decision on the next round", "ApprovalRequest/retail-prod/r-1", "Decision/retail-prod/r-1-1-x7k2p", false},
		{"a decision on nothing", "ApprovalRequest", "Decision/retail-prod/r-1", false},
		{"an import of people", "Person/*", "GroupMapping/bank-dev", true},
		{"an act on one of them", "Person/p-7", "GroupMapping/bank-dev", false},
	} {
		if got := covers(index.SubjectOf(c.act), index.SubjectOf(c.written)); got != c.want {
			t.Errorf("%s: %s covers %s: %t", c.reason, c.act, c.written, got)
		}
	}
}
