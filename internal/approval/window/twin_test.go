// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package window_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/window"
)

// twin answers the same question in the dumbest way there is: it looks at the
// clock on the wall once a minute, for weeks, and writes down what it sees.
type twin struct {
	start   time.Time
	minutes []reading
	open    []bool
}

// reading is what the wall shows: date and time of day in one text that sorts.
type reading struct {
	date, text string
	weekday    string
}

func look(start time.Time, days int, zone *time.Location) *twin {
	w := &twin{start: start}
	for i := range days * 24 * 60 {
		at := start.Add(time.Duration(i) * time.Minute).In(zone)
		w.minutes = append(w.minutes, reading{at.Format("2006-01-02"), at.Format("2006-01-02 15:04"), at.Weekday().String()})
	}
	w.open = make([]bool, len(w.minutes))
	return w
}

// first is the first minute at which the wall shows the text, or else something later.
func (w *twin) first(text string) int {
	i := slices.IndexFunc(w.minutes, func(r reading) bool { return r.text >= text })
	if i < 0 {
		return len(w.minutes)
	}
	return i
}

// last is the last minute at which the wall shows the text, or else the first later one.
func (w *twin) last(text string) int {
	for i := len(w.minutes) - 1; i >= 0; i-- {
		if w.minutes[i].text == text {
			return i
		}
	}
	return w.first(text)
}

func next(date string) string {
	at, err := time.Parse("2006-01-02", date)
	if err != nil {
		panic(err)
	}
	return at.AddDate(0, 0, 1).Format("2006-01-02")
}

func (w *twin) dates() []string {
	var out []string
	at, _ := time.Parse("2006-01-02", w.minutes[0].date)
	for range 1 + len(w.minutes)/(24*60) {
		out = append(out, at.Format("2006-01-02"))
		at = at.AddDate(0, 0, 1)
	}
	return out
}

// clock is when the wall shows that time of that day, which may be 24:00.
func clock(date string, at approvalv1.TimeOfDay) string {
	if at == "24:00" {
		return next(date) + " 00:00"
	}
	return date + " " + string(at)
}

func works(spec *approvalv1.ChangeCalendarSpec, date string) bool {
	if slices.Contains(spec.MadeUpDays, approvalv1.Date(date)) {
		return true
	}
	for _, h := range spec.Holidays {
		if string(h.From) <= date && date <= string(h.To) {
			return false
		}
	}
	at, _ := time.Parse("2006-01-02", date)
	return slices.Contains(spec.WorkingDays, approvalv1.Weekday(at.Weekday().String()))
}

func fits(spec *approvalv1.ChangeCalendarSpec, kind approvalv1.DayKind, date string) bool {
	return kind == "Any" || kind == "" || (kind == "WorkingDays") == works(spec, date)
}

func (w *twin) paint(from, to int, open bool) {
	for i := max(from, 0); i < min(to, len(w.open)); i++ {
		w.open[i] = open
	}
}

func (w *twin) calendar(spec *approvalv1.ChangeCalendarSpec) {
	if len(spec.Windows) == 0 {
		w.paint(0, len(w.open), true)
	}
	for _, c := range spec.Windows {
		for _, date := range w.dates() {
			at, _ := time.Parse("2006-01-02", date)
			if !fits(spec, c.Days, date) || (len(c.Weekdays) > 0 && !slices.Contains(c.Weekdays, approvalv1.Weekday(at.Weekday().String()))) {
				continue
			}
			if c.Cron != "" {
				var minute, hour, dom int
				_, _ = fmt.Sscanf(c.Cron, "%d %d %d * *", &minute, &hour, &dom)
				if at.Day() == dom {
					from := w.first(fmt.Sprintf("%s %02d:%02d", date, hour, minute))
					w.paint(from, from+int(c.Minutes), true)
				}
				continue
			}
			end := date
			if c.To < c.From {
				end = next(date)
			}
			w.paint(w.first(clock(date, c.From)), w.first(clock(end, c.To)), true)
		}
	}
	for _, date := range w.dates() {
		for _, c := range spec.Closed {
			if b := c.Batch; b != nil {
				if fits(spec, b.Days, date) {
					end := date
					if b.To < b.From {
						end = next(date)
					}
					w.paint(w.first(clock(date, b.From)), w.last(clock(end, b.To)), false)
				}
				continue
			}
			if closes(spec, c, date) {
				w.paint(w.first(date+" 00:00"), w.last(next(date)+" 00:00"), false)
			}
		}
		if spec.KnownUntil != "" && date > string(spec.KnownUntil) {
			w.paint(w.first(date+" 00:00"), len(w.open), false)
		}
	}
}

func closes(spec *approvalv1.ChangeCalendarSpec, c approvalv1.ClosedPeriod, date string) bool {
	day := date[5:]
	switch {
	case c.Protection != nil:
		return string(c.Protection.From) <= date && date <= string(c.Protection.To)
	case c.YearEnd != nil && c.YearEnd.From <= c.YearEnd.To:
		return string(c.YearEnd.From) <= day && day <= string(c.YearEnd.To)
	case c.YearEnd != nil:
		return string(c.YearEnd.From) <= day || day <= string(c.YearEnd.To)
	case c.MonthEnd != nil:
		return around(spec, *c.MonthEnd, date, func(time.Month) bool { return true })
	}
	return around(spec, *c.QuarterEnd, date, func(m time.Month) bool { return m%3 == 0 })
}

// around lists the days of the month that is over, or of the one that begins, and
// counts on fingers.
func around(spec *approvalv1.ChangeCalendarSpec, p approvalv1.PeriodEnd, date string, ends func(time.Month) bool) bool {
	at, _ := time.Parse("2006-01-02", date)
	var month []string
	for d := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC); d.Month() == at.Month(); d = d.AddDate(0, 0, 1) {
		month = append(month, d.Format("2006-01-02"))
	}
	closed := map[string]bool{}
	count := func(days []string, n int32) {
		for _, d := range days {
			if n == 0 {
				return
			}
			closed[d] = true
			if p.Count == "CalendarDays" || works(spec, d) {
				n--
			}
		}
	}
	if ends(at.AddDate(0, 0, 1-at.Day()).Month()) {
		back := slices.Clone(month)
		slices.Reverse(back)
		count(back, p.Last)
	}
	if ends(at.AddDate(0, 0, -at.Day()).Month()) {
		count(month, p.First)
	}
	return closed[date]
}

func (w *twin) freeze(f approvalv1.Freeze) {
	from, to := int(f.Spec.From.Sub(w.start)/time.Minute), len(w.open)
	if f.Spec.To != nil {
		to = int(f.Spec.To.Sub(w.start) / time.Minute)
	}
	if f.Spec.Ended != nil {
		to = min(to, int(f.Spec.Ended.Sub(w.start)/time.Minute))
	}
	w.paint(from, to, false)
}

// What is drawn: zones whose clocks change in the drawn weeks among them, also at
// midnight, by half an hour, and by a whole day.
var worlds = []struct{ zone, start string }{
	{"Asia/Shanghai", "2026-02-10"}, {"Europe/Berlin", "2026-03-24"}, {"Europe/Berlin", "2026-10-20"},
	{"America/New_York", "2026-03-04"}, {"America/New_York", "2026-10-28"}, {"Australia/Lord_Howe", "2026-03-31"},
	{"America/Havana", "2026-03-04"}, {"America/Havana", "2026-10-28"}, {"Pacific/Apia", "2011-12-25"},
	{"Africa/Cairo", "2026-04-20"}, {"America/Sao_Paulo", "2018-02-14"}, {"UTC", "2028-02-25"}, {"Asia/Kathmandu", "2025-12-28"},
}

const twinDays = 14

func drawTime(t *rapid.T, label string) approvalv1.TimeOfDay {
	// Most around the hours at which clocks change.
	hour := rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 23)).Draw(t, label+" hour")
	return approvalv1.TimeOfDay(fmt.Sprintf("%02d:%02d", hour, rapid.SampledFrom([]int{0, 15, 30, 59}).Draw(t, label+" minute")))
}

func drawTimes(t *rapid.T, label string) (from, to approvalv1.TimeOfDay) {
	from, to = drawTime(t, label+" from"), drawTime(t, label+" to")
	if from == to {
		return "00:00", "24:00"
	}
	return from, to
}

var (
	dayKinds = rapid.SampledFrom([]approvalv1.DayKind{"Any", "WorkingDays", "NonWorkingDays"})
	counts   = rapid.SampledFrom([]approvalv1.DayCount{"CalendarDays", "WorkingDays"})
)

func drawCalendar(t *rapid.T, zone string, start time.Time) *approvalv1.ChangeCalendarSpec {
	date := func(label string) approvalv1.Date {
		return approvalv1.Date(start.AddDate(0, 0, rapid.IntRange(-3, twinDays).Draw(t, label)).Format("2006-01-02"))
	}
	dates := func(label string) (approvalv1.Date, approvalv1.Date) {
		a, b := date(label+" from"), date(label+" to")
		return min(a, b), max(a, b)
	}
	spec := &approvalv1.ChangeCalendarSpec{TimeZone: zone, WorkingDays: []approvalv1.Weekday{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}}
	for range rapid.IntRange(0, 3).Draw(t, "windows") {
		w := approvalv1.ChangeWindow{Name: "w", Days: dayKinds.Draw(t, "days")}
		if rapid.IntRange(0, 3).Draw(t, "cron") == 0 {
			at := start.AddDate(0, 0, rapid.IntRange(0, twinDays).Draw(t, "cron day"))
			w.Cron = fmt.Sprintf("%d %d %d * *", rapid.SampledFrom([]int{0, 30}).Draw(t, "minute"), rapid.IntRange(0, 23).Draw(t, "hour"), at.Day())
			w.Minutes = int32(rapid.IntRange(1, 3000).Draw(t, "minutes"))
		} else {
			w.From, w.To = drawTimes(t, "window")
			if rapid.Bool().Draw(t, "named days") {
				w.Weekdays = []approvalv1.Weekday{"Sunday", "Wednesday", "Friday"}
			}
		}
		spec.Windows = append(spec.Windows, w)
	}
	for range rapid.IntRange(0, 3).Draw(t, "closed") {
		c := approvalv1.ClosedPeriod{Name: "c"}
		last, first := int32(rapid.IntRange(0, 6).Draw(t, "last")), int32(rapid.IntRange(0, 6).Draw(t, "first"))
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			c.Batch = &approvalv1.DailyBatch{Days: dayKinds.Draw(t, "batch days")}
			c.Batch.From, c.Batch.To = drawTimes(t, "batch")
		case 1:
			c.MonthEnd = &approvalv1.PeriodEnd{Last: last, First: first, Count: counts.Draw(t, "count")}
		case 2:
			c.QuarterEnd = &approvalv1.PeriodEnd{Last: last, First: first, Count: counts.Draw(t, "count")}
		case 3:
			from, to := date("year from"), date("year to")
			c.YearEnd = &approvalv1.YearlyRange{From: approvalv1.DayOfYear(from[5:]), To: approvalv1.DayOfYear(to[5:])}
		default:
			c.Protection = &approvalv1.DateRange{}
			c.Protection.From, c.Protection.To = dates("protection")
		}
		spec.Closed = append(spec.Closed, c)
	}
	if rapid.Bool().Draw(t, "holidays") {
		h := approvalv1.Holiday{Name: "h"}
		h.From, h.To = dates("holiday")
		spec.Holidays = append(spec.Holidays, h)
		spec.MadeUpDays = append(spec.MadeUpDays, date("made up"))
	}
	if rapid.IntRange(0, 4).Draw(t, "bounded") == 0 {
		spec.KnownUntil = date("known until")
	}
	return spec
}

func drawFreeze(t *rapid.T, start time.Time) approvalv1.Freeze {
	moment := func(label string) metav1.Time {
		return metav1.NewTime(start.Add(time.Duration(rapid.IntRange(0, twinDays*24*60).Draw(t, label)) * time.Minute))
	}
	f := approvalv1.Freeze{Spec: approvalv1.FreezeSpec{From: moment("freeze from"), Reason: "r"}}
	if rapid.Bool().Draw(t, "bounded freeze") {
		to := moment("freeze to")
		f.Spec.To = &to
	}
	if rapid.Bool().Draw(t, "ended") {
		ended := moment("freeze ended")
		f.Spec.Ended = &ended
	}
	return f
}

// The decision agrees with the twin at every drawn minute: whether it is open,
// when it opens next, and when it closes.
func TestAgreesWithItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		world := rapid.SampledFrom(worlds).Draw(t, "world")
		zone, err := time.LoadLocation(world.zone)
		if err != nil {
			t.Fatal(err)
		}
		start, err := time.ParseInLocation("2006-01-02", world.start, zone)
		if err != nil {
			t.Fatal(err)
		}
		spec := drawCalendar(t, world.zone, start)
		var freezes []approvalv1.Freeze
		for range rapid.IntRange(0, 2).Draw(t, "freezes") {
			freezes = append(freezes, drawFreeze(t, start))
		}
		// The twin begins to look days before, for windows that began then.
		w := look(start.Add(-10*24*time.Hour), twinDays+20, zone)
		w.calendar(spec)
		for _, f := range freezes {
			w.freeze(f)
		}
		offset := 10 * 24 * 60
		for range 20 {
			i := offset + rapid.IntRange(0, twinDays*24*60-1).Draw(t, "minute asked")
			at := w.start.Add(time.Duration(i) * time.Minute)
			got := window.Open([]window.Calendar{{Name: "c", Spec: spec}}, freezes, window.Scope{}, at)
			if got.Open != w.open[i] {
				t.Fatalf("at %s (%s): open=%v, the twin says %v\n%v", at.In(zone), world.zone, got.Open, w.open[i], got)
			}
			turn := i
			for turn < len(w.open) && w.open[turn] == w.open[i] {
				turn++
			}
			if turn >= len(w.open)-5*24*60 {
				continue // beyond what the twin sees for certain
			}
			want := w.start.Add(time.Duration(turn) * time.Minute)
			when := got.Next
			if got.Open {
				when = got.Until
			}
			if !when.Equal(want) {
				t.Fatalf("at %s (%s), open=%v: turns at %v, the twin says %v\n%v", at.In(zone), world.zone, got.Open, when, want.In(zone), got)
			}
		}
	})
}
