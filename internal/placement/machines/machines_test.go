// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package machines_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/machines"
)

const header = "namespace,application,component,seat,dcn,dataCenter,rack,host,address\n"

func row(line string) string { return header + line + "\n" }

const good = "retail-prod,teller,desk,1,dcn-east,dc-east,vm-1,vm0001,10.1.2.3"

// A row with one value changed.
func with(column, value string) string {
	names, values := strings.Split(strings.TrimSpace(header), ","), strings.Split(good, ",")
	for i, n := range names {
		if n == column {
			values[i] = value
		}
	}
	return row(strings.Join(values, ","))
}

func TestParse(t *testing.T) {
	one := "retail-prod/teller desk-1 dcn-east dc-east/vm-1 vm0001 10.1.2.3"
	for name, c := range map[string]struct {
		file      string
		namespace string
		want      []string
		fault     string
	}{
		"CSV":                     {file: row(good), want: []string{one}},
		"byte order mark":         {file: "\ufeff" + row(good), want: []string{one}},
		"Windows line ends":       {file: strings.ReplaceAll(row(good), "\n", "\r\n"), want: []string{one}},
		"no line end at the end":  {file: strings.TrimSpace(row(good)), want: []string{one}},
		"JSON":                    {file: `{"machines":[{"namespace":"retail-prod","application":"teller","component":"desk","seat":1,"dcn":"dcn-east","dataCenter":"dc-east","rack":"vm-1","host":"vm0001","address":"10.1.2.3"}]}`, want: []string{one}},
		"JSON, seat as text":      {file: `{"machines":[{"application":"teller","component":"desk","seat":"1","dcn":"dcn-east","dataCenter":"dc-east","rack":"vm-1","host":"vm0001","address":"10.1.2.3"}]}`, namespace: "retail-prod", want: []string{one}},
		"namespace from outside":  {file: "application,component,seat,dcn,dataCenter,rack,host,address\nteller,desk,1,dcn-east,dc-east,vm-1,vm0001,10.1.2.3\n", namespace: "retail-prod", want: []string{one}},
		"another namespace":       {file: row(good), namespace: "cards-prod", fault: `line 2: the row belongs to "retail-prod", and the import to "cards-prod" alone`},
		"IPv6 is written one way": {file: with("address", "2001:DB8:0:0::7"), want: []string{"retail-prod/teller desk-1 dcn-east dc-east/vm-1 vm0001 2001:db8::7"}},
		"empty":                   {file: "\ufeff \n", fault: "the file is empty"},
		"GBK":                     {file: header + "retail-prod,teller,desk,1,dcn-east,dc-east,vm-1,\xcd\xf8\xd2\xf8,10.1.2.3\n", fault: "line 2: the file is not UTF-8 (it may be GBK)"},
		"unknown column":          {file: strings.Replace(row(good), "rack", "cabinet", 1), fault: `there is no column "cabinet"`},
		"missing column":          {file: strings.Replace(row(good), ",address", "", 1), fault: `column "address" is missing`},
		"column twice":            {file: strings.Replace(row(good), "host,", "rack,", 1), fault: `column "rack" is there twice`},
		"short row":               {file: row("retail-prod,teller"), fault: "line 2: the row has 2 columns and the header 9"},
		"open quote":              {file: row(`retail-prod,"teller`), fault: "could not read the row"},
		"value missing":           {file: with("rack", ""), fault: "line 2: rack is missing"},
		"control character":       {file: with("host", "vm\u202e1"), fault: "characters that cannot be seen"},
		"seat 0":                  {file: with("seat", "0"), fault: `line 2: seat "0" is no number of an instance`},
		"seat with zeros":         {file: with("seat", "007"), fault: `seat "007"`},
		"seat below zero":         {file: with("seat", "-1"), fault: `seat "-1"`},
		"seat in full width":      {file: with("seat", "１２"), fault: `seat "１２" is no number of an instance: write it from 1 to 999999, with the digits 0 to 9`},
		"seat beyond all":         {file: with("seat", "99999999999999999999"), fault: "is no number"},
		"seat in exponents":       {file: `{"machines":[{"namespace":"retail-prod","application":"teller","component":"desk","seat":1e3,"dcn":"d","dataCenter":"d","rack":"r","host":"h","address":"10.1.2.3"}]}`, fault: `line 1: seat "1e3"`},
		"IPv4 within IPv6":        {file: with("address", "::ffff:10.1.2.3"), fault: "it is an IPv4 address within IPv6: write 10.1.2.3"},
		"address in full width":   {file: with("address", "１０.1.2.3"), fault: "with the digits 0 to 9"},
		"address with zeros":      {file: with("address", "10.01.2.3"), fault: "write it as 10.1.2.3"},
		"address of itself":       {file: with("address", "127.0.0.1"), fault: "no machine is reached there"},
		"address with interface":  {file: with("address", "fe80::1%eth0"), fault: "it names an interface"},
		"address and prefix":      {file: with("address", "10.1.2.3/24"), fault: "write it as"},
		"name in capitals":        {file: with("application", "Teller"), fault: `application "Teller" cannot be`},
		"name too long":           {file: with("component", strings.Repeat("a", 17)), fault: "at most 16"},
		"JSON with more":          {file: `{"machines":[{"namespace":"retail-prod","cabinet":"x"}]}`, fault: `could not read field "cabinet"`},
		"JSON of lists":           {file: `{"machines":[{"host":["x"]}]}`, fault: `could not read field "host"`},
		"JSON cut off":            {file: `{"machines":[{"host":"x"`, fault: "could not read the JSON"},
		"two JSON texts":          {file: `{"machines":[]}{}`, fault: "something follows after its end"},
	} {
		t.Run(name, func(t *testing.T) {
			rows, faults := machines.Parse([]byte(c.file), c.namespace)
			if c.fault != "" {
				if len(faults) == 0 || !strings.Contains(faults[0].String(), c.fault) {
					t.Fatalf("want %q, got %v", c.fault, faults)
				}
				return
			}
			var got []string
			for _, r := range rows {
				got = append(got, fmt.Sprintf("%s/%s %s-%d %s %s/%s %s %s", r.Namespace, r.Application, r.Component, r.Seat, r.DCN, r.DataCenter, r.Rack, r.Host, r.Address))
			}
			if diff := cmp.Diff(c.want, got); diff != "" || len(faults) > 0 {
				t.Errorf("%v\n%s", faults, diff)
			}
		})
	}
}

func TestParseIsBounded(t *testing.T) {
	var file strings.Builder
	file.WriteString(header)
	for range machines.MostRows + 5000 {
		file.WriteString("x\n")
	}
	_, faults := machines.Parse([]byte(file.String()), "")
	if len(faults) != machines.MostRows+1 || !strings.Contains(faults[machines.MostRows].Message, "divide it") {
		t.Errorf("want the reading to end, got %d faults", len(faults))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(row(good)))
	f.Add([]byte(`{"machines":[{"seat":1}]}`))
	f.Add([]byte("\ufeff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		rows, faults := machines.Parse(raw, "retail-prod")
		if len(rows) == 0 && len(faults) == 0 && !strings.Contains(string(raw), "{") && len(strings.Split(strings.TrimSpace(string(raw)), "\n")) > 1 {
			t.Skip("a header and empty lines")
		}
		for _, r := range rows {
			if r.Seat < 1 || r.Namespace != "retail-prod" || r.Address == "" {
				t.Fatalf("let through: %+v", r)
			}
		}
	})
}

var now = time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)

// bank has teller with desk (a service) and nightly (a cron), in dcn-east.
func bank() machines.Seen {
	return machines.Seen{
		Applications: []appv1.Application{{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "teller"}, Spec: appv1.ApplicationSpec{Components: []appv1.Component{
			{Name: "desk", Kind: appv1.KindService}, {Name: "nightly", Kind: appv1.KindCron},
		}}}},
		DCNs: []fleetv1.DCN{
			{ObjectMeta: metav1.ObjectMeta{Name: "dcn-east"}, Spec: fleetv1.DCNSpec{DataCenter: "dc-east", Environment: "prod"}},
			{ObjectMeta: metav1.ObjectMeta{Name: "dcn-sit"}, Spec: fleetv1.DCNSpec{DataCenter: "dc-east", Environment: "sit"}},
		},
		Sites: []fleetv1.DataCenter{
			{ObjectMeta: metav1.ObjectMeta{Name: "dc-east"}, Spec: fleetv1.DataCenterSpec{Racks: []fleetv1.Rack{{Name: "vm-1"}, {Name: "vm-2"}}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "dc-west"}, Spec: fleetv1.DataCenterSpec{Racks: []fleetv1.Rack{{Name: "vm-1"}}}},
		},
	}
}

// some are rows of desk with these numbers.
func some(numbers ...int32) []machines.Row {
	var rows []machines.Row
	for i, n := range numbers {
		rows = append(rows, machines.Row{Line: i + 2, Namespace: "retail-prod", Application: "teller", MachineInstance: placementv1.MachineInstance{
			Component: "desk", Seat: n, DCN: "dcn-east", DataCenter: "dc-east", Rack: "vm-1", Host: fmt.Sprintf("vm%04d", n), Address: fmt.Sprintf("10.1.%d.%d", n/200, n%200+1),
		}})
	}
	return rows
}

func change(rows []machines.Row, by func(*machines.Row)) []machines.Row {
	by(&rows[len(rows)-1])
	return rows
}

func imported(source string, age time.Duration, numbers ...int32) placementv1.MachineImport {
	d := machines.Plan(some(numbers...), bank(), machines.Options{Source: source, ObservedAt: now.Add(-age), ValidFor: 24 * time.Hour}, now)
	return *d.Actions[0].Import
}

func upTo(n int32) []int32 {
	var out []int32
	for i := int32(1); i <= n; i++ {
		out = append(out, i)
	}
	return out
}

func TestPlan(t *testing.T) {
	for name, c := range map[string]struct {
		rows    []machines.Row
		seen    func(*machines.Seen)
		options machines.Options
		// want in words: the actions, how many are unchanged, gone and left, and what holds it.
		want   string
		fault  string
		reason string
	}{
		"new":                 {rows: some(1, 2), want: "create retail-prod/teller.cmdb 2"},
		"again":               {rows: some(2, 1), seen: had(imported("cmdb", 0, 1, 2)), want: "1 unchanged", reason: "the same import twice writes nothing, whatever the order"},
		"confirmed":           {rows: some(1, 2), seen: had(imported("cmdb", time.Hour, 1, 2)), want: "update retail-prod/teller.cmdb 2"},
		"one more":            {rows: some(1, 2, 3), seen: had(imported("cmdb", time.Hour, 1, 2)), want: "update retail-prod/teller.cmdb 3"},
		"one less":            {rows: some(1), seen: had(imported("cmdb", time.Hour, 1, 2)), want: "update retail-prod/teller.cmdb 1, 1 gone", reason: "a migration takes one after another"},
		"cut off":             {rows: some(1, 2, 3, 4), seen: had(imported("cmdb", time.Hour, upTo(10)...)), want: "update retail-prod/teller.cmdb 4, 6 gone, held: machines that source \"cmdb\" told of last time are missing from the file: 6 of 10 of retail-prod/teller"},
		"cut off, confirmed":  {rows: some(1, 2, 3, 4), seen: had(imported("cmdb", time.Hour, upTo(10)...)), options: machines.Options{Gone: 6}, want: "update retail-prod/teller.cmdb 4, 6 gone"},
		"another number":      {rows: some(1, 2, 3), seen: had(imported("cmdb", time.Hour, upTo(10)...)), options: machines.Options{Gone: 6}, want: "update retail-prod/teller.cmdb 3, 7 gone, held: 6 machines were confirmed to be gone, and it is 7", reason: "what was confirmed is what was seen"},
		"fewer":               {rows: some(1, 2, 3, 4), seen: had(imported("cmdb", time.Hour, upTo(9)...)), options: machines.Options{Gone: 6}, want: "update retail-prod/teller.cmdb 4, 5 gone, held: 6 machines were confirmed to be gone, and it is 5"},
		"the rest of it":      {rows: some(1, 2, 3, 4), seen: had(imported("cmdb", 0, 1, 2, 3, 4)), options: machines.Options{Gone: 6}, want: "1 unchanged", reason: "it broke off after its last write, and is sent again with the same confirmation"},
		"cut off before it":   {rows: some(1), seen: had(imported("cmdb", time.Hour, 1), another(imported("cmdb", time.Hour, 1, 2, 3))), want: "update retail-prod/teller.cmdb 1, left retail-prod/branch", reason: "what the file does not name stays"},
		"none any more":       {seen: had(imported("cmdb", time.Hour, 1)), options: machines.Options{None: []string{"retail-prod/teller"}}, want: "update retail-prod/teller.cmdb 0, 1 gone"},
		"none of many":        {seen: had(imported("cmdb", time.Hour, 1, 2, 3)), options: machines.Options{None: []string{"retail-prod/teller"}}, want: "update retail-prod/teller.cmdb 0, 3 gone, held: machines that source \"cmdb\" told of last time are missing from the file: 3 of 3 of retail-prod/teller"},
		"none, and some":      {rows: some(1), seen: had(imported("cmdb", time.Hour, 1)), options: machines.Options{None: []string{"retail-prod/teller"}}, fault: "has no machines any more (none), and the file names 1"},
		"none of none":        {options: machines.Options{None: []string{"retail-prod/teller"}}, fault: `has no machines that source "cmdb" told of`},
		"nothing":             {fault: "the file names no machine"},
		"older":               {rows: some(1), seen: had(imported("cmdb", 0, 1)), options: machines.Options{ObservedAt: now.Add(-time.Hour)}, fault: "an older one changes nothing"},
		"from the future":     {rows: some(1), options: machines.Options{ObservedAt: now.Add(time.Hour)}, fault: "which is in the future"},
		"twice":               {rows: some(1, 1), fault: "line 3: desk-1 of retail-prod/teller is on line 2 already"},
		"address twice":       {rows: change(some(1, 2), func(r *machines.Row) { r.Address = "10.1.0.2" }), fault: "line 3: address 10.1.0.2 is vm0001's on line 2 and vm0002's here"},
		"one machine, twice":  {rows: change(some(1, 2), func(r *machines.Row) { r.Address, r.Host = "10.1.0.2", "vm0001" }), fault: "with another number"},
		"unknown application": {rows: change(some(1), func(r *machines.Row) { r.Application = "moon" }), fault: `there is no application "moon" in "retail-prod"`},
		"unknown component":   {rows: change(some(1), func(r *machines.Row) { r.Component = "moon" }), fault: `has no component "moon"`},
		"a cron":              {rows: change(some(1), func(r *machines.Row) { r.Component = "nightly" }), fault: "is a cron, which has no numbered instances"},
		"unknown DCN":         {rows: change(some(1), func(r *machines.Row) { r.DCN = "moon" }), fault: `there is no DCN "moon"`},
		"foreign DCN":         {rows: change(some(1), func(r *machines.Row) { r.DCN = "dcn-sit" }), fault: `DCN "dcn-sit" belongs to environment sit, not to prod`},
		"unknown site":        {rows: change(some(1), func(r *machines.Row) { r.DataCenter = "moon" }), fault: `there is no data centre "moon"`},
		"another site":        {rows: change(some(1), func(r *machines.Row) { r.DataCenter = "dc-west" }), fault: `DCN "dcn-east" is in data centre "dc-east", not in "dc-west"`},
		"unknown rack":        {rows: change(some(1), func(r *machines.Row) { r.Rack = "moon" }), fault: `data centre "dc-east" has no rack "moon"`},
		"two sources":         {rows: some(1), seen: had(imported("excel", 0, 1)), fault: `source "excel" names desk-1 of retail-prod/teller already`},
		"containers' number": {rows: some(7), seen: func(s *machines.Seen) {
			s.Placements = []placementv1.Placement{{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod"}, Spec: placementv1.PlacementSpec{Application: "teller", Assignments: []placementv1.Assignment{
				{Component: "desk", Block: 0, Cell: placementv1.Cell{Cluster: "east-1", Pool: "p", Zone: "z", Rack: "r", DCN: "dcn-east"}}, {Component: "desk", Block: 1000},
			}}}}
		}, fault: "line 2: desk-7 cannot be a machine's number: containers in cell east-1/p/z/r/dcn-east have the numbers from 0 to 999 for good; number it from 2000 on"},
		"too many": {rows: some(upTo(1001)...), fault: "more than 1000 machines"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := bank()
			if c.seen != nil {
				c.seen(&seen)
			}
			o := c.options
			o.Source, o.ValidFor = "cmdb", 24*time.Hour
			if o.ObservedAt.IsZero() {
				o.ObservedAt = now
			}
			d := machines.Plan(c.rows, seen, o, now)
			if c.fault != "" {
				if len(d.Faults) == 0 || !strings.Contains(d.Faults[0].String(), c.fault) || len(d.Actions) > 0 {
					t.Errorf("want %q and nothing to do, got %v", c.fault, d)
				}
				return
			}
			if got := told(d); got != c.want {
				t.Errorf("%s: want %q, got %q", c.reason, c.want, got)
			}
		})
	}
}

func had(imports ...placementv1.MachineImport) func(*machines.Seen) {
	return func(s *machines.Seen) { s.Imports = imports }
}

// another is the import as one of application branch.
func another(m placementv1.MachineImport) placementv1.MachineImport {
	m.Name, m.Spec.Application = "branch.cmdb", "branch"
	return m
}

func told(d machines.Decision) string {
	var parts []string
	for _, f := range d.Faults {
		parts = append(parts, "fault "+f.String())
	}
	for _, a := range d.Actions {
		parts = append(parts, fmt.Sprintf("%s %s %d", a.Verb, a.Name(), len(a.Import.Spec.Instances)))
	}
	if d.Unchanged > 0 {
		parts = append(parts, fmt.Sprintf("%d unchanged", d.Unchanged))
	}
	if len(d.Gone) > 0 {
		parts = append(parts, fmt.Sprintf("%d gone", len(d.Gone)))
	}
	if len(d.Left) > 0 {
		parts = append(parts, "left "+strings.Join(d.Left, " "))
	}
	if d.Held != "" {
		parts = append(parts, "held: "+d.Held)
	}
	return strings.Join(parts, ", ")
}
