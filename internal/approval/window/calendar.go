// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package window

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // the rules of time zones, where the machine has none

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
)

// Calendar is a calendar that a policy names.
type Calendar struct {
	// Name that the policy gives.
	Name string
	// Spec of the calendar. Nil: there is none of that name, which is closed.
	Spec *approvalv1.ChangeCalendarSpec
}

// Named returns the calendars of those names out of what was found, in the order
// of the names.
func Named(names []string, found []approvalv1.ChangeCalendar) []Calendar {
	out := make([]Calendar, 0, len(names))
	for _, name := range names {
		c := Calendar{Name: name}
		if i := slices.IndexFunc(found, func(f approvalv1.ChangeCalendar) bool { return f.Name == name }); i >= 0 {
			c.Spec = &found[i].Spec
		}
		out = append(out, c)
	}
	return out
}

// Check says what keeps a calendar from being used, beyond what its schema
// refuses. A calendar with an error is closed.
func Check(spec *approvalv1.ChangeCalendarSpec) error {
	_, err := read(Calendar{Spec: spec})
	return err
}

// timetable is a calendar that was read.
type timetable struct {
	name     string
	zone     *time.Location
	windows  []opening
	closed   []closing
	working  map[time.Weekday]bool
	holidays map[day]bool
	madeUp   map[day]bool
	// known is the last day whose holidays are entered.
	known    day
	bounded  bool
	lastText string
}

// opening is a change window: minutes from the start of days that fit.
type opening struct {
	on     func(day) bool
	starts []int
	// Either to, minutes after the midnight before the start, or length.
	to     int
	length time.Duration
}

// closing is a closed period: whole days, or a range of minutes on days that fit.
type closing struct {
	name, kind string
	on         func(day) bool
	from, to   int
}

func read(c Calendar) (*timetable, error) {
	if c.Spec == nil {
		return nil, errors.New("there is no calendar of that name; make it, or have the policy name another one")
	}
	// Both are names that the library understands as something else.
	if c.Spec.TimeZone == "" || c.Spec.TimeZone == "Local" {
		return nil, fmt.Errorf("could not find the time zone %q: write an IANA name, such as Asia/Shanghai", c.Spec.TimeZone)
	}
	zone, err := time.LoadLocation(c.Spec.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("could not find the time zone %q: write an IANA name, such as Asia/Shanghai", c.Spec.TimeZone)
	}
	t := &timetable{name: c.Name, zone: zone, working: map[time.Weekday]bool{}, holidays: map[day]bool{}, madeUp: map[day]bool{}}
	return t, errors.Join(t.readDays(c.Spec), t.readWindows(c.Spec.Windows), t.readClosed(c.Spec.Closed))
}

func (t *timetable) readDays(spec *approvalv1.ChangeCalendarSpec) error {
	for _, w := range spec.WorkingDays {
		d, ok := weekdays[string(w)]
		if !ok {
			return fmt.Errorf("could not read the weekday %q", string(w))
		}
		t.working[d] = true
	}
	if len(spec.WorkingDays) == 0 {
		for d := time.Monday; d <= time.Friday; d++ {
			t.working[d] = true
		}
	}
	for _, h := range spec.Holidays {
		from, to, err := readDates(approvalv1.DateRange{From: h.From, To: h.To})
		if err != nil {
			return fmt.Errorf("holiday %q: %w", h.Name, err)
		}
		for d := from; d <= to; d++ {
			t.holidays[d] = true
		}
	}
	for _, text := range spec.MadeUpDays {
		d, err := parseDate(text)
		if err != nil {
			return err
		}
		t.madeUp[d] = true
	}
	if spec.KnownUntil == "" {
		return nil
	}
	known, err := parseDate(spec.KnownUntil)
	t.known, t.bounded, t.lastText = known, true, string(spec.KnownUntil)
	return err
}

func readDates(r approvalv1.DateRange) (from, to day, err error) {
	if from, err = parseDate(r.From); err != nil {
		return 0, 0, err
	}
	if to, err = parseDate(r.To); err != nil {
		return 0, 0, err
	}
	if to < from || to-from > 4000 {
		return 0, 0, fmt.Errorf("could not use the days from %s to %s: the last comes before the first, or years later", r.From, r.To)
	}
	return from, to, nil
}

func (t *timetable) readWindows(windows []approvalv1.ChangeWindow) error {
	for _, w := range windows {
		o, err := t.opening(w)
		if err != nil {
			return fmt.Errorf("window %q: %w", w.Name, err)
		}
		t.windows = append(t.windows, o)
	}
	return nil
}

func (t *timetable) opening(w approvalv1.ChangeWindow) (opening, error) {
	fits, err := t.dayKind(w.Days)
	if err != nil {
		return opening{}, err
	}
	if w.Cron != "" {
		s, err := parseCron(w.Cron)
		if err != nil {
			return opening{}, err
		}
		if w.Minutes < 1 || w.Minutes > 7*24*60 || w.From != "" || w.To != "" || len(w.Weekdays) > 0 {
			return opening{}, errors.New("a cron expression goes with minutes, 1 to 10080, and with nothing else")
		}
		return opening{on: func(d day) bool { return fits(d) && s.on(d) }, starts: s.minutes, length: time.Duration(w.Minutes) * time.Minute}, nil
	}
	from, to, err := readTimes(w.From, w.To)
	if err != nil {
		return opening{}, err
	}
	days := map[time.Weekday]bool{}
	for _, text := range w.Weekdays {
		d, ok := weekdays[string(text)]
		if !ok {
			return opening{}, fmt.Errorf("could not read the weekday %q", string(text))
		}
		days[d] = true
	}
	return opening{on: func(d day) bool { return fits(d) && (len(days) == 0 || days[d.weekday()]) }, starts: []int{from}, to: to}, nil
}

// readTimes returns minutes after midnight; to is after from, on the next day if need be.
func readTimes(fromText, toText approvalv1.TimeOfDay) (from, to int, err error) {
	if from, err = parseTimeOfDay(fromText); err != nil {
		return 0, 0, err
	}
	if to, err = parseTimeOfDay(toText); err != nil {
		return 0, 0, err
	}
	if from == to || from == 24*60 {
		return 0, 0, fmt.Errorf("could not use the time from %s to %s: write 00:00 and 24:00 for the whole day", fromText, toText)
	}
	if to < from {
		to += 24 * 60
	}
	return from, to, nil
}

func (t *timetable) dayKind(kind approvalv1.DayKind) (func(day) bool, error) {
	switch cmp.Or(kind, approvalv1.AnyDay) {
	case approvalv1.AnyDay:
		return func(day) bool { return true }, nil
	case approvalv1.OnWorkingDays:
		return t.works, nil
	case approvalv1.OnNonWorkingDays:
		return func(d day) bool { return !t.works(d) }, nil
	}
	return nil, fmt.Errorf("could not read the kind of day %q", string(kind))
}

// works says whether the bank works on the day.
func (t *timetable) works(d day) bool {
	return t.madeUp[d] || (t.working[d.weekday()] && !t.holidays[d])
}

func (t *timetable) readClosed(periods []approvalv1.ClosedPeriod) error {
	for _, p := range periods {
		c, err := t.closing(p)
		if err != nil {
			return fmt.Errorf("closed period %q: %w", p.Name, err)
		}
		c.name = p.Name
		t.closed = append(t.closed, c)
	}
	return nil
}

func (t *timetable) closing(p approvalv1.ClosedPeriod) (closing, error) {
	switch {
	case p.Batch != nil:
		fits, err := t.dayKind(p.Batch.Days)
		if err != nil {
			return closing{}, err
		}
		from, to, err := readTimes(p.Batch.From, p.Batch.To)
		return closing{kind: "end-of-day batch", on: fits, from: from, to: to}, err
	case p.MonthEnd != nil:
		return t.aroundEnd("month end", *p.MonthEnd, 1)
	case p.QuarterEnd != nil:
		return t.aroundEnd("quarter end", *p.QuarterEnd, 3)
	case p.YearEnd != nil:
		return yearly(*p.YearEnd)
	case p.Protection != nil:
		from, to, err := readDates(*p.Protection)
		return closing{kind: "special protection", on: func(d day) bool { return from <= d && d <= to }, to: 24 * 60}, err
	}
	return closing{}, errors.New("it is none of batch, monthEnd, quarterEnd, yearEnd and protection")
}

// aroundEnd closes the last days of every so many months, and the first days of
// those that follow.
func (t *timetable) aroundEnd(kind string, p approvalv1.PeriodEnd, months int) (closing, error) {
	counts := func(day) bool { return true }
	switch cmp.Or(p.Count, approvalv1.CountCalendarDays) {
	case approvalv1.CountCalendarDays:
	case approvalv1.CountWorkingDays:
		counts = t.works
	default:
		return closing{}, fmt.Errorf("could not read how days are counted: %q", string(p.Count))
	}
	number := func(from, to day) (n int32) {
		for d := from; d <= to; d++ {
			if counts(d) {
				n++
			}
		}
		return n
	}
	return closing{kind: kind, to: 24 * 60, on: func(d day) bool {
		_, month, _ := d.date()
		if int(month)%months == 0 && number(d+1, d.monthEnd()) < p.Last {
			return true
		}
		return int(month)%months == 1%months && number(d.monthStart(), d-1) < p.First
	}}, nil
}

func yearly(r approvalv1.YearlyRange) (closing, error) {
	from, err := parseDayOfYear(r.From)
	if err != nil {
		return closing{}, err
	}
	to, err := parseDayOfYear(r.To)
	if err != nil {
		return closing{}, err
	}
	return closing{kind: "year-end closing", to: 24 * 60, on: func(d day) bool {
		_, month, date := d.date()
		key := int(month)*100 + date
		if from <= to {
			return from <= key && key <= to
		}
		return key >= from || key <= to
	}}, nil
}

// openings returns when windows are open in the span. Without windows that is
// all of it.
func (t *timetable) openings(within span) []span {
	if len(t.windows) == 0 {
		return []span{within}
	}
	var out []span
	for _, w := range t.windows {
		// A window that began before may still be open.
		before := day(2)
		if w.length > 0 {
			before = day(w.length/(24*time.Hour)) + 2
		}
		for d := dayAt(within.from, t.zone) - before; d <= dayAt(within.to, t.zone); d++ {
			if !w.on(d) {
				continue
			}
			for _, start := range w.starts {
				s := span{from: moment(d, start, t.zone, false)}
				s.to = s.from.Add(w.length)
				if w.length == 0 {
					s.to = moment(d, w.to, t.zone, false)
				}
				out = append(out, s)
			}
		}
	}
	return both(merged(out), []span{within})
}

// closings returns when one period is closed, around the span.
func (t *timetable) closings(c closing, within span) []span {
	var out []span
	for d := dayAt(within.from, t.zone) - 2; d <= dayAt(within.to, t.zone)+1; d++ {
		if c.on(d) {
			out = append(out, span{moment(d, c.from, t.zone, false), moment(d, c.to, t.zone, true)})
		}
	}
	return merged(out)
}

// unknown returns when nobody has entered the holidays yet.
func (t *timetable) unknown(within span) []span {
	if !t.bounded {
		return nil
	}
	return both([]span{{moment(t.known+1, 0, t.zone, false), within.to}}, []span{within})
}

// spans returns when the calendar is open in the span.
func (t *timetable) spans(within span) []span {
	open := without(t.openings(within), t.unknown(within))
	for _, c := range t.closed {
		open = without(open, t.closings(c, within))
	}
	return open
}
