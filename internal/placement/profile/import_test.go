// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package profile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/profile"
)

const head = "application,component,tag,value,source,algorithm,version,date\n"

func TestParse(t *testing.T) {
	want := []profile.Row{
		{Line: 2, Application: "retail-prod/pay", ImportedTag: placementv1.ImportedTag{Component: "ledger", Tag: "io-heavy", Value: "-0.8", Source: "bigdata", Algorithm: "K均值", Version: "2.1", At: metav1.NewTime(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))}},
		{Line: 3, Application: "retail-prod/pay", ImportedTag: placementv1.ImportedTag{Component: "web", Source: "cmdb"}},
	}
	got, faults := profile.Parse([]byte("\ufeff"+head+"retail-prod/pay,ledger,io-heavy,-0.8,bigdata,K均值,2.1,2026-11-01\nretail-prod/pay, web ,,,,,,\n"), "csv", "cmdb", now)
	if diff := cmp.Diff(want, got); faults.Any() || diff != "" {
		t.Errorf("%v (-want +got):\n%s", faults, diff)
	}
	want[0].Line, want[1].Line = 1, 2
	got, faults = profile.Parse([]byte(`{"tags": [{"application": "retail-prod/pay", "component": "ledger", "tag": "io-heavy", "value": -0.8, "source": "bigdata", "algorithm": "K均值", "version": "2.1", "date": "2026-11-01T08:00:00+08:00"},
		{"application": "retail-prod/pay", "component": "web", "tag": null}]}`), "json", "cmdb", now)
	if diff := cmp.Diff(want, got); faults.Any() || diff != "" {
		t.Errorf("%v (-want +got):\n%s", faults, diff)
	}
}

func TestParseFaults(t *testing.T) {
	row := func(cells ...string) string { return head + strings.Join(cells, ",") + "\n" }
	for name, c := range map[string]struct{ format, raw, want string }{
		"empty":           {"csv", " \n", "the file is empty: nothing was changed"},
		"header alone":    {"csv", head, "the file has no rows: nothing was changed"},
		"GBK":             {"csv", head + "retail-prod/pay,ledger,io-heavy,,,\xd5\xcb\xbb\xa7,,2026-11-01\n", "line 2: the file is not UTF-8 (it may be GBK): save it as UTF-8 and import it again"},
		"unknown column":  {"csv", "application,component,tag,date,owner\n", `line 1: there is no column "owner": the columns are application, component, tag, value, source, algorithm, version, date`},
		"column twice":    {"csv", "application,component,tag,date,tag\n", `line 1: column "tag" is there twice`},
		"no date":         {"csv", "application,component,tag\n", `line 1: column "date" is missing: the first line names the columns`},
		"short row":       {"csv", head + "retail-prod/pay,ledger\n", "line 2: the row has 2 columns and the header 8"},
		"quotes":          {"csv", head + "retail-prod/pay,\"ledger,io\n", `line 2: could not read the row: extraneous or missing " in quoted-field; the rows after it were not looked at`},
		"formula":         {"csv", row("retail-prod/pay", "ledger", "io-heavy", "", "", "=HYPERLINK(1)", "", "2026-11-01"), `line 2: column "algorithm" begins like a formula ("="): export values, not formulas`},
		"formula at":      {"csv", row("@SUM(A1)", "ledger", "io-heavy", "", "", "", "", "2026-11-01"), `line 2: column "application" begins like a formula ("@"): export values, not formulas`},
		"formula minus":   {"csv", row("retail-prod/pay", "ledger", "io-heavy", "-1+2", "", "", "", "2026-11-01"), `line 2: column "value" begins like a formula ("-"): export values, not formulas`},
		"invisible":       {"csv", row("retail-prod/pay", "led\u202eger", "io-heavy", "", "", "", "", "2026-11-01"), `line 2: column "component" holds characters that cannot be seen: remove them`},
		"long cell":       {"csv", row("retail-prod/pay", strings.Repeat("x", 1<<20), "io-heavy", "", "", "", "", "2026-11-01"), `line 2: column "component" has 1048576 bytes: 128 at most`},
		"application":     {"csv", row("pay", "ledger", "io-heavy", "", "", "", "", "2026-11-01"), `line 2: "pay" is no application: write <namespace>/<name>, such as retail-prod/mobile-bank`},
		"tag":             {"csv", row("retail-prod/pay", "ledger", "IO heavy", "", "", "", "", "2026-11-01"), `line 2: "IO heavy" is no tag: write at most 32 lower-case letters and digits, with single dashes between, such as io-heavy`},
		"source":          {"csv", row("retail-prod/pay", "ledger", "io-heavy", "", "Big Data", "", "", "2026-11-01"), `line 2: "Big Data" names no source: it has at most 63 lower-case letters, digits and dashes`},
		"value":           {"csv", row("retail-prod/pay", "ledger", "io-heavy", "NaN", "", "", "", "2026-11-01"), `line 2: "NaN" is no value: write a number with at most 32 digits, such as 0.82, or leave it empty`},
		"date":            {"csv", row("retail-prod/pay", "ledger", "io-heavy", "", "", "", "", "01/11/2026"), `line 2: could not read the date "01/11/2026": write it as 2027-03-31 or 2027-03-31T08:00:00+08:00`},
		"no such day":     {"csv", row("retail-prod/pay", "ledger", "io-heavy", "", "", "", "", "2026-02-30"), `line 2: could not read the date "2026-02-30": write it as 2027-03-31 or 2027-03-31T08:00:00+08:00`},
		"future":          {"csv", row("retail-prod/pay", "ledger", "io-heavy", "", "", "", "", "2036-11-01"), `line 2: the date "2036-11-01" lies in the future: look at the clock of the source`},
		"spreadsheet":     {"csv", row("retail-prod/pay", "ledger", "io-heavy", "", "", "", "", "1899-12-30"), `line 2: the date "1899-12-30" lies before 2000: it is a mistake of the source`},
		"other JSON":      {"json", `[{"tag": 1}]`, `could not read the JSON: it does not begin with a list of tags; write {"tags": [{"application": …}]}`},
		"JSON field":      {"json", `{"tags": [{"owner": "x"}]}`, `line 1: there is no field "owner": the fields are application, component, tag, value, source, algorithm, version, date`},
		"JSON list":       {"json", `{"tags": [{"tag": ["io-heavy"]}]}`, `line 1: field "tag" is neither text nor a number`},
		"JSON cut off":    {"json", `{"tags": [{"application": "retail-prod/pay", "component": "ledger", "tag": "a", "date": "2026-11-01"}`, `could not read the JSON: something other than the list of tags follows, or its end is missing; write {"tags": [{"application": …}]}`},
		"JSON and more":   {"json", `{"tags": []} {}`, `could not read the JSON: something follows after its end; write {"tags": [{"application": …}]}`},
		"a million rows":  {"csv", head + strings.Repeat("a-b/c,d,e,,,,,2026-11-01\n", 500_000), "the file has more than 100000 rows: divide it, with all rows of an application in one part"},
		"a million wrong": {"csv", head + strings.Repeat("x\n", 1_000_000), "line 2: the row has 1 columns and the header 8"},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := profile.Parse([]byte(c.raw), c.format, "cmdb", now)
			if !faults.Any() || faults.List[0].String() != c.want {
				t.Errorf("want %q, got %v", c.want, faults.List)
			}
			if len(faults.List) > 101 {
				t.Errorf("%d faults are kept", len(faults.List))
			}
		})
	}
}

// FuzzParse holds that no bytes bring the parser down, and that what it takes can be
// written.
func FuzzParse(f *testing.F) {
	f.Add([]byte(head+"retail-prod/pay,ledger,io-heavy,1,cmdb,a,b,2026-11-01\n"), "csv")
	f.Add([]byte(`{"tags": [{"application": "retail-prod/pay", "component": "ledger", "tag": "io-heavy", "date": "2026-11-01"}]}`), "json")
	f.Fuzz(func(t *testing.T, raw []byte, format string) {
		rows, faults := profile.Parse(raw, format, "cmdb", now)
		for _, r := range rows {
			if !faults.Any() && (len(r.Component) > 16 || len(r.Tag) > 32 || len(r.Source) > 63 || len(r.Value) > 32 || len(r.Algorithm) > 63 || len(r.Version) > 63) {
				t.Errorf("%+v", r)
			}
		}
	})
}

func application(name string, components ...string) *appv1.Application {
	a := &appv1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: name, UID: "u-1"}}
	for _, c := range components {
		a.Spec.Components = append(a.Spec.Components, appv1.Component{Name: appv1.ComponentName(c)})
	}
	return a
}

func row(line int, application, component, tag, source string) profile.Row {
	r := profile.Row{Line: line, Application: "retail-prod/" + application, ImportedTag: imported(component, tag, source)}
	return r
}

func TestPlan(t *testing.T) {
	hub := profile.Hub{
		Applications: map[string]*appv1.Application{"retail-prod/pay": application("pay", "web", "ledger"), "retail-prod/loan": application("loan", "web")},
		Profiles:     map[string]*placementv1.Profile{},
	}
	apply := func(rows ...profile.Row) string {
		actions, unchanged, faults := profile.Plan(rows, hub)
		var out []string
		for _, f := range faults.List {
			out = append(out, f.String())
		}
		for _, a := range actions {
			var tags []string
			for _, i := range a.Profile.Spec.Imported {
				tags = append(tags, i.Component+"/"+i.Tag+"@"+i.Source)
			}
			out = append(out, fmt.Sprintf("%s new=%t owner=%d: %s", a.Profile.Name, a.New, len(a.Profile.OwnerReferences), strings.Join(tags, " ")))
			hub.Profiles["retail-prod/"+a.Profile.Name] = a.Profile
		}
		return strings.Join(append(out, fmt.Sprintf("%d unchanged", unchanged)), "; ")
	}
	for _, step := range []struct {
		reason string
		rows   []profile.Row
		want   string
	}{
		{"new", []profile.Row{row(2, "pay", "ledger", "io-heavy", "cmdb"), row(3, "pay", "web", "cpu-bound", "cmdb"), row(4, "loan", "web", "cpu-bound", "cmdb")},
			"loan new=true owner=1: web/cpu-bound@cmdb; pay new=true owner=1: ledger/io-heavy@cmdb web/cpu-bound@cmdb; 0 unchanged"},
		{"the same again writes nothing", []profile.Row{row(2, "loan", "web", "cpu-bound", "cmdb"), row(3, "pay", "web", "cpu-bound", "cmdb"), row(4, "pay", "ledger", "io-heavy", "cmdb")}, "2 unchanged"},
		{"another source stands beside it", []profile.Row{row(2, "pay", "ledger", "peak-morning", "bigdata")},
			"pay new=false owner=1: ledger/io-heavy@cmdb ledger/peak-morning@bigdata web/cpu-bound@cmdb; 0 unchanged"},
		{"all that a source says of a component is replaced, and nothing else", []profile.Row{row(2, "pay", "ledger", "latency-sensitive", "cmdb")},
			"pay new=false owner=1: ledger/latency-sensitive@cmdb ledger/peak-morning@bigdata web/cpu-bound@cmdb; 0 unchanged"},
		{"a row without a tag takes away", []profile.Row{row(2, "pay", "ledger", "", "cmdb")},
			"pay new=false owner=1: ledger/peak-morning@bigdata web/cpu-bound@cmdb; 0 unchanged"},
		{"faults, and nothing is written", []profile.Row{
			row(2, "pay", "ledger", "a", "cmdb"), row(3, "gone", "web", "a", "cmdb"), row(4, "pay", "none", "a", "cmdb"), row(5, "pay", "ledger", "a", "cmdb"), row(6, "pay", "ledger", "", "cmdb"),
		}, `line 3: there is no application "retail-prod/gone"; line 4: application "retail-prod/pay" has no component "none"; ` +
			`line 5: tag "a" of component "ledger" of "retail-prod/pay" is on line 2 already; ` +
			`line 6: component "ledger" of "retail-prod/pay" has a row without a tag, which says that there is none, and rows with tags: keep one or the other; 0 unchanged`},
	} {
		if got := apply(step.rows...); got != step.want {
			t.Errorf("%s:\nwant %s\ngot  %s", step.reason, step.want, got)
		}
	}
	var many []profile.Row
	for i := range 513 {
		many = append(many, row(i+2, "pay", "ledger", fmt.Sprintf("t%d", i), "cmdb"))
	}
	if got := apply(many...); got != `line 2: application "retail-prod/pay" would have 515 imported tags: 512 at most; 0 unchanged` {
		t.Error(got)
	}
}
