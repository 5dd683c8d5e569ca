// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package config_test

import (
	"maps"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

func merge(text string) client.Patch { return client.RawPatch(types.MergePatchType, []byte(text)) }

// What a calendar's own schema says of mistakes, each with what to write instead.
func TestChangeCalendarsAreChecked(t *testing.T) {
	hub.Needed(t)
	masters := hub.Client()
	with := func(field string, value any) map[string]any {
		spec := map[string]any{"timeZone": "Asia/Shanghai"}
		maps.Copy(spec, map[string]any{field: value})
		return spec
	}
	window := func(fields map[string]any) map[string]any {
		w := map[string]any{"name": "w"}
		maps.Copy(w, fields)
		return with("windows", []any{w})
	}
	closed := func(fields map[string]any) map[string]any {
		c := map[string]any{"name": "c"}
		maps.Copy(c, fields)
		return with("closed", []any{c})
	}
	days := func(from, to string) map[string]any { return map[string]any{"from": from, "to": to} }
	for name, c := range map[string]struct {
		spec map[string]any
		says string
	}{
		"UnknownZone":   {with("timeZone", "Asia/Atlantis"), "the time zone is not known: write an IANA name"},
		"LocalZone":     {with("timeZone", "../etc/localtime"), "spec.timeZone"},
		"NoBeginning":   {window(nil), "write one of the two"},
		"TwoBeginnings": {window(map[string]any{"from": "22:00", "to": "23:00", "cron": "0 1 * * *", "minutes": int64(5)}), "write one of the two"},
		"NoEnd":         {window(map[string]any{"from": "22:00"}), "from and to belong together"},
		"NoLength":      {window(map[string]any{"cron": "0 1 * * *"}), "say how many minutes the window stays open"},
		"CronEachHour":  {window(map[string]any{"cron": "*/5 1 * * *", "minutes": int64(5)}), "cron"},
		"CronZone":      {window(map[string]any{"cron": "TZ=UTC 0 1 * * *", "minutes": int64(5)}), "cron"},
		"CronWeekdays":  {window(map[string]any{"cron": "0 1 * * *", "minutes": int64(5), "weekdays": []any{"Monday"}}), "a cron expression names its days itself"},
		"NoTime":        {window(map[string]any{"from": "22:00", "to": "22:00"}), "write 00:00 and 24:00 for the whole day"},
		"BadTime":       {window(map[string]any{"from": "24:30", "to": "25:00"}), "windows[0].from"},
		"FullWidth":     {window(map[string]any{"from": "２２:００", "to": "23:00"}), "windows[0].from"},
		"StartsAtEnd":   {window(map[string]any{"from": "24:00", "to": "06:00"}), "a window does not begin at 24:00"},
		"NoPeriod":      {closed(nil), "exactly one of batch, monthEnd"},
		"TwoPeriods":    {closed(map[string]any{"batch": days("22:00", "23:00"), "protection": days("2026-01-01", "2026-01-02")}), "exactly one of batch, monthEnd"},
		"EmptyBatch":    {closed(map[string]any{"batch": days("22:00", "22:00")}), "write 00:00 and 24:00 for the whole day"},
		"EmptyMonthEnd": {closed(map[string]any{"monthEnd": map[string]any{}}), "say how many of the last or of the first days"},
		"BadYearEnd":    {closed(map[string]any{"yearEnd": days("12-32", "01-03")}), "yearEnd.from"},
		"NoSuchDay":     {closed(map[string]any{"protection": days("2026-02-29", "2026-03-01")}), "protection.from"},
		"Backwards":     {closed(map[string]any{"protection": days("2026-03-02", "2026-03-01")}), "the last day comes before the first"},
		"BadHoliday":    {with("holidays", []any{map[string]any{"name": "h", "from": "2026-05-05", "to": "2026-05-01"}}), "the last day comes before the first"},
		"BadMadeUpDay":  {with("madeUpDays", []any{"2026-13-01"}), "madeUpDays"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c.says, func() error { return masters.Create(t.Context(), object("ChangeCalendar", "", "wrong", c.spec)) })
		})
	}
	raw, err := os.ReadFile("../internal/approval/window/testdata/bank-2026.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spec := map[string]any{}
	if err := yaml.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	create(t, masters, object("ChangeCalendar", "", "bank", spec))
}

// A freeze does not change. It is ended once, and deleted only then.
func TestAFreezeIsEndedAndNothingElse(t *testing.T) {
	hub.Needed(t)
	masters := hub.Client()
	spec := func(fields map[string]any) map[string]any {
		s := map[string]any{"from": "2030-01-01T00:00:00Z", "reason": "year end"}
		maps.Copy(s, fields)
		return s
	}
	refused(t, "the freeze ends before it begins", func() error {
		return masters.Create(t.Context(), object("Freeze", "", "wrong", spec(map[string]any{"to": "2029-01-01T00:00:00Z"})))
	})
	refused(t, "one line of text without control characters", func() error {
		return masters.Create(t.Context(), object("Freeze", "", "wrong", spec(map[string]any{"reason": "end\x1b[2J"})))
	})
	refused(t, "one line of text without control characters", func() error {
		return masters.Create(t.Context(), object("Freeze", "", "wrong", spec(map[string]any{"reason": "end \u202e of year"})))
	})
	create(t, masters, object("Freeze", "", "kept", spec(map[string]any{"ticket": "CHG-1", "scope": map[string]any{"tenants": []any{"retail"}}})))
	change := func(text string) func() error {
		return func() error { return masters.Patch(t.Context(), object("Freeze", "", "kept", nil), merge(text)) }
	}
	for name, text := range map[string]string{
		"Reason": `{"spec":{"reason":"other"}}`, "From": `{"spec":{"from":"2031-01-01T00:00:00Z"}}`, "To": `{"spec":{"to":"2031-01-01T00:00:00Z"}}`,
		"Wider": `{"spec":{"scope":{"tenants":null}}}`, "Narrower": `{"spec":{"scope":{"environments":["uat"]}}}`, "Kind": `{"spec":{"kind":"Batch"}}`,
		"NoTicket": `{"spec":{"ticket":null}}`,
	} {
		t.Run(name, func(t *testing.T) { refused(t, "a freeze does not change: end it", change(text)) })
	}
	remove := func() error { return masters.Delete(t.Context(), object("Freeze", "", "kept", nil)) }
	refused(t, "fairway freeze end kept", remove)
	allowed(t, change(`{"spec":{"ended":"2030-01-02T00:00:00Z"}}`))
	refused(t, "the freeze was ended: start another one", change(`{"spec":{"ended":null}}`))
	refused(t, "the freeze was ended: start another one", change(`{"spec":{"ended":"2030-01-03T00:00:00Z"}}`))
	allowed(t, remove)
}
