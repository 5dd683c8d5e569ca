// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func documentsOf(t *testing.T, content string) []Document {
	t.Helper()
	documents, err := (&Reading{Paths: []string{"-"}, Stdin: strings.NewReader(content), Kinds: kindsOf(t)}).Documents()
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

const (
	poolPath = "/api/v1/fleet/pools/p"
	appPath  = "/api/v1/app/applications/t-sit/a"
	stored   = `{"metadata":{"name":"p","resourceVersion":"1"},"spec":{"zones":["dmz"]},"status":{"x":1}}`
)

func TestApplySaysWhatItDid(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		before string
		after  string
		apply  Apply
		query  string
		want   string
	}{
		"created":    {"it was not there", "", stored, Apply{}, "fieldManager=fairway-cli", "pool.fleet.fairway.cloud/p created\n"},
		"unchanged":  {"only its status moved meanwhile", stored, strings.Replace(stored, `"x":1`, `"x":2`, 1), Apply{}, "fieldManager=fairway-cli", "pool.fleet.fairway.cloud/p unchanged\n"},
		"configured": {"a field differs", stored, strings.Replace(stored, "dmz", "core", 1), Apply{Force: true}, "fieldManager=fairway-cli&force=true", "pool.fleet.fairway.cloud/p configured\n"},
		"dry":        {"nothing is kept", stored, strings.Replace(stored, "dmz", "core", 1), Apply{DryRun: true}, "dryRun=All&fieldManager=fairway-cli", "pool.fleet.fairway.cloud/p configured (server dry run)\n"},
		"name":       {"for scripts", "", stored, Apply{Output: Name}, "fieldManager=fairway-cli", "pool.fleet.fairway.cloud/p\n"},
	} {
		t.Run(name, func(t *testing.T) {
			a, c := newAPI(t)
			if tc.before != "" {
				a.on("GET "+poolPath, 200, tc.before)
			}
			var query, media string
			a.answers["PATCH "+poolPath] = func(r *http.Request, _ string) (int, string) {
				query, media = r.URL.RawQuery, r.Header.Get("Content-Type")
				return 200, tc.after
			}
			out := &bytes.Buffer{}
			tc.apply.Out, tc.apply.Progress = out, &bytes.Buffer{}
			if err := tc.apply.Run(context.Background(), c, documentsOf(t, aPool)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
			}
			if query != tc.query || media != "application/apply-patch+yaml" {
				t.Errorf("%s: sent %q as %q", tc.reason, query, media)
			}
		})
	}
}

func TestOneThatFailsKeepsNoOtherBack(t *testing.T) {
	a, c := newAPI(t)
	a.on("PATCH "+poolPath, 422, problemOf(422, "invalid", "could not accept pool"))
	a.on("PATCH /api/v1/tenancy/tenants/t", 200, `{"metadata":{"name":"t"}}`)
	a.on("PATCH "+appPath, 409, problemOf(409, "conflict", "somebody else"))
	out := &bytes.Buffer{}
	err := Apply{Out: out, Progress: out}.Run(context.Background(), c, documentsOf(t, anApp+"---\n"+aPool+"---\n"+aTenant))
	if ExitOf(err) != ExitInvalid || !strings.Contains(err.Error(), "could not apply 2 of 3 objects") || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("all failures are told, with the first one's exit code, got %v", err)
	}
	if out.String() != "tenant.tenancy.fairway.cloud/t created\n" {
		t.Errorf("the others are applied, got %q", out)
	}
	a, c = newAPI(t)
	a.on("PATCH /api/v1/tenancy/tenants/t", 503, problemOf(503, "unavailable", "the hub is away"))
	if err := (Apply{Out: out, Progress: out, Patience: time.Millisecond}).Run(context.Background(), c, documentsOf(t, aPool+"---\n"+aTenant)); ExitOf(err) != ExitUnavailable || a.wasAsked("PATCH "+poolPath) != 0 {
		t.Errorf("what would fail alike is not tried, got %v", err)
	}
}

func TestAHubThatIsStillLearningIsAskedAgain(t *testing.T) {
	a, c := newAPI(t)
	tries := 0
	a.answers["PATCH /api/v1/tenancy/tenants/t"] = func(*http.Request, string) (int, string) {
		if tries++; tries == 1 {
			return 503, problemOf(503, "unavailable", "there can be a delay")
		}
		return 201, `{"metadata":{"name":"t"}}`
	}
	out := &bytes.Buffer{}
	if err := (Apply{Out: out, Progress: out}).Run(context.Background(), c, documentsOf(t, aTenant)); err != nil || tries != 2 {
		t.Errorf("kinds that were installed just now come, got %v after %d tries", err, tries)
	}
}

func TestANamespaceInTheMakingIsWaitedFor(t *testing.T) {
	a, c := newAPI(t)
	a.on("PATCH /api/v1/tenancy/tenants/t", 200, `{"metadata":{"name":"t"}}`)
	tries := 0
	a.answers["PATCH "+appPath] = func(*http.Request, string) (int, string) {
		if tries++; tries == 1 {
			return 404, problemOf(404, "not-found", "no namespace")
		}
		return 201, `{"metadata":{"name":"a","namespace":"t-sit"}}`
	}
	a.on("POST "+appPath+"/check", 200, `{"findings":[]}`)
	out := &bytes.Buffer{}
	if err := (Apply{Out: out, Progress: out}).Run(context.Background(), c, documentsOf(t, aTenant+"---\n"+anApp)); err != nil || tries != 2 {
		t.Errorf("the tenant was applied just now: its namespace comes, got %v after %d tries", err, tries)
	}
	tries = 0
	if err := (Apply{Out: out, Progress: out}).Run(context.Background(), c, documentsOf(t, anApp)); ExitOf(err) != ExitNotFound || tries != 1 {
		t.Errorf("else a missing namespace is told at once, got %v after %d tries", err, tries)
	}
}

// A dry run is asked whether it would work: an error among the findings is a no. What
// was applied is there, with whatever the checks find.
func TestADryRunWithErrorsFails(t *testing.T) {
	a, c := newAPI(t)
	a.on("PATCH "+appPath, 200, `{"metadata":{"name":"a","namespace":"t-sit"}}`)
	for name, tc := range map[string]struct {
		severity string
		dry      bool
		exit     int
	}{
		"a dry run with an error":    {"Error", true, ExitError},
		"a dry run with a warning":   {"Warning", true, ExitOK},
		"an error of what was kept":  {"Error", false, ExitOK},
		"a warning of what was kept": {"Warning", false, ExitOK},
	} {
		t.Run(name, func(t *testing.T) {
			a.on("POST "+appPath+"/check", 200, `{"findings":[{"severity":"`+tc.severity+`","rule":"MissingProbe","message":"declare a probe"}]}`)
			out := &bytes.Buffer{}
			err := (Apply{DryRun: tc.dry, Out: out, Progress: out}).Run(context.Background(), c, documentsOf(t, anApp))
			if ExitOf(err) != tc.exit || !strings.Contains(out.String(), "declare a probe") {
				t.Errorf("wanted exit %d, got %v\n%s", tc.exit, err, out)
			}
		})
	}
}

func TestApplyWaitsForTheRevision(t *testing.T) {
	app := func(generation, observed, status string) string {
		return `{"metadata":{"name":"a","namespace":"t-sit","generation":` + generation + `},"status":{"observedGeneration":` + observed + `,` + status + `}}`
	}
	revised := `"conditions":[{"type":"Revised","status":"True","reason":"Revised"}]`
	refused := `"conditions":[{"type":"Revised","status":"False","reason":"ChecksFailed","message":"2 findings are errors"}],"findings":[{"severity":"Error","component":"account","rule":"MissingProbe","message":"declare a readiness probe"}]`
	for name, tc := range map[string]struct {
		reason  string
		answers []string
		want    string
		said    string
		exit    int
	}{
		"first": {
			reason: "nothing runs by applying", answers: []string{app("2", "1", revised+`,"latestRevision":"a-old"`), app("2", "2", revised+`,"latestRevision":"a-1"`)},
			want: "revision.app.fairway.cloud/a-1: nothing runs yet; start a release with: fairway release start a -n t-sit\n", said: "waiting for its revision",
		},
		"next":      {reason: "what runs stays", answers: []string{app("2", "2", revised+`,"latestRevision":"a-2","releasedRevision":"a-1"`)}, want: "revision.app.fairway.cloud/a-2: a-1 stays in service; start a release with: fairway release start a -n t-sit\n"},
		"in use":    {reason: "nothing is left to do", answers: []string{app("2", "2", revised+`,"latestRevision":"a-2","releasedRevision":"a-2"`)}, want: "revision.app.fairway.cloud/a-2: it is in service\n"},
		"under way": {reason: "somebody releases", answers: []string{app("2", "2", revised+`,"latestRevision":"a-2","activeRelease":"r"`)}, want: "revision.app.fairway.cloud/a-2: release \"r\" is under way; follow it with: fairway release status r -n t-sit --wait\n"},
		"refused":   {reason: "why there is none is told, and what to change", answers: []string{app("2", "2", refused)}, said: "declare a readiness probe", exit: ExitInvalid},
		"asked again": {
			reason: "a registry that is away comes back", answers: []string{
				app("2", "2", `"conditions":[{"type":"Revised","status":"False","reason":"RegistryUnreachable","message":"the registry does not answer"}]`),
				app("2", "2", revised+`,"latestRevision":"a-1","releasedRevision":"a-1"`),
			}, want: "revision.app.fairway.cloud/a-1: it is in service\n", said: "the registry does not answer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, c := newAPI(t)
			a.on("GET "+appPath, 200, append([]string{`{"metadata":{"name":"a"}}`}, tc.answers...)...)
			a.on("PATCH "+appPath, 200, `{"metadata":{"name":"a","namespace":"t-sit"}}`)
			out, said := &bytes.Buffer{}, &bytes.Buffer{}
			err := Apply{Wait: true, Out: out, Progress: said}.Run(context.Background(), c, documentsOf(t, anApp))
			if ExitOf(err) != tc.exit {
				t.Fatalf("%s: want exit %d, got %v", tc.reason, tc.exit, err)
			}
			if diff := cmp.Diff("application.app.fairway.cloud/a unchanged\n"+tc.want, out.String()); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
			}
			if !strings.Contains(said.String(), tc.said) {
				t.Errorf("%s: want %q beside the data, got %q", tc.reason, tc.said, said)
			}
		})
	}
}

func TestDiff(t *testing.T) {
	for name, tc := range map[string]struct {
		reason        string
		before, after string
		running       string
		want          string
	}{
		"image": {
			reason: "what a release would restart, in Fairway's words", before: `{"spec":{"components":[{"name":"account","image":"a:v1"},{"name":"ledger","image":"l:v1"}]}}`,
			after:   `{"spec":{"components":[{"name":"account","image":"a:v2"},{"name":"ledger","image":"l:v1"}]}}`,
			running: `{"against":"a-1","changes":[{"path":"components[account].image","before":"a@sha256:1","after":"a@sha256:2","restarts":["account"]}]}`,
			want: `application.app.fairway.cloud/a
  ~ spec.components[account].image: a:v1 -> a:v2
  a release would change (against a-1, which runs):
    ~ components[account].image: a@sha256:1 -> a@sha256:2
  it would restart: account
`,
		},
		"count": {
			reason: "scaling restarts nothing", before: `{"spec":{"count":1}}`, after: `{"spec":{"count":2}}`,
			running: `{"against":"a-1","changes":[{"path":"count","before":"1","after":"2"}]}`,
			want:    "application.app.fairway.cloud/a\n  ~ spec.count: 1 -> 2\n  a release would change (against a-1, which runs):\n    ~ count: 1 -> 2\n  it would restart nothing\n",
		},
		"same": {reason: "nothing is said of nothing", before: `{"spec":{"count":1},"status":{"x":1}}`, after: `{"spec":{"count":1},"status":{"x":2}}`, running: `{"against":"a-1","changes":[]}`},
		"new":  {reason: "all of it is new", after: `{"spec":{"count":1}}`, running: `{"changes":[]}`, want: "application.app.fairway.cloud/a (new)\n  + spec.count: 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			a, c := newAPI(t)
			if tc.before != "" {
				a.on("GET "+appPath, 200, tc.before)
			}
			a.on("PATCH "+appPath, 200, tc.after)
			a.on("POST "+appPath+"/diff", 200, tc.running)
			out := &bytes.Buffer{}
			differs, err := c.Diff(context.Background(), documentsOf(t, anApp)[0], out)
			if err != nil || differs != (tc.want != "") {
				t.Fatalf("%s: got %v %v", tc.reason, differs, err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
			}
			if a.wasAsked("PATCH "+appPath+"?dryRun=All") != 1 {
				t.Errorf("%s: a diff changes nothing, asked %v", tc.reason, a.asked)
			}
		})
	}
}

func TestWaitingForARelease(t *testing.T) {
	rel := func(desired, clusters, conditions string) string {
		return `{"metadata":{"name":"r","namespace":"t-sit","generation":1},"spec":{"desired":"` + desired + `"},"status":{"observedGeneration":1,"clusters":[` + clusters + `],"conditions":[` + conditions + `]}}`
	}
	half, full := `{"cluster":"east-1","wanted":2,"updated":1,"ready":1,"old":1,"message":"account-2 starts"}`, `{"cluster":"east-1","wanted":2,"updated":2,"ready":2,"old":0}`
	waiting := `{"type":"Ready","status":"False","reason":"Stepping","message":"batch 1 of 1"}`
	for name, tc := range map[string]struct {
		reason  string
		answers []string
		want    string
		exit    int
		err     string
	}{
		"ready": {
			reason:  "a line whenever something moved",
			answers: []string{rel("Run", half, waiting), rel("Run", half, waiting), rel("Run", full, `{"type":"Ready","status":"True"}`)},
			want:    "east-1: 1 of 2 new, 1 ready, 1 old (account-2 starts)\nrelease \"r\": batch 1 of 1\neast-1: 2 of 2 new, 2 ready, 0 old\n",
		},
		"stalled": {
			reason:  "a person is needed",
			answers: []string{rel("Run", half, waiting+`,{"type":"Stalled","status":"True","reason":"NoProgress","message":"account-2 does not start"}`)},
			want:    "east-1: 1 of 2 new, 1 ready, 1 old (account-2 starts)\n", exit: ExitError, err: "account-2 does not start",
		},
		"stopped": {
			reason: "it does not go on by itself", answers: []string{rel("Stop", "", `{"type":"Ready","status":"False","message":"stopped: what is done stays"}`)},
			want: "release \"r\": stopped: what is done stays\n", exit: ExitError, err: "was stopped",
		},
		"late": {reason: "it goes on without us", answers: []string{rel("Run", half, waiting)}, want: "east-1: 1 of 2 new, 1 ready, 1 old (account-2 starts)\nrelease \"r\": batch 1 of 1\n", exit: ExitTimeout, err: "batch 1 of 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, c := newAPI(t)
			a.on("GET /api/v1/release/releases/t-sit/r", 200, tc.answers...)
			ctx, cancel := context.WithTimeout(context.Background(), 2500*time.Millisecond)
			defer cancel()
			said := &bytes.Buffer{}
			_, err := c.Wait(ctx, kindOf(t, "releases"), "t-sit", "r", said)
			if ExitOf(err) != tc.exit || (tc.err != "" && !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("%s: want exit %d with %q, got %v", tc.reason, tc.exit, tc.err, err)
			}
			if diff := cmp.Diff(tc.want, said.String()); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}

func TestFindingsDecide(t *testing.T) {
	for name, tc := range map[string]struct {
		reason   string
		findings []Finding
		want     string
		exit     int
	}{
		"none":    {"fit to go live", nil, "application \"a\": nothing to change\n", 0},
		"warning": {"allowed, and said", []Finding{{"Warning", "", "Overcommit", "ask for less"}}, "SEVERITY   COMPONENT   RULE         WHAT TO CHANGE\nWarning    <none>      Overcommit   ask for less\n", 0},
		"error":   {"it may not go live", []Finding{{"Error", "account", "RootUser", "name a user"}}, "SEVERITY   COMPONENT   RULE       WHAT TO CHANGE\nError      account     RootUser   name a user\n", ExitError},
	} {
		t.Run(name, func(t *testing.T) {
			out := &bytes.Buffer{}
			if err := ShowFindings(out, kindOf(t, "applications"), "a", tc.findings, Table); ExitOf(err) != tc.exit {
				t.Errorf("%s: want exit %d, got %v", tc.reason, tc.exit, err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}
