// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package window

import (
	"fmt"
	"time"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
)

// day is a date of the calendar, counted from 1970-01-01.
type day int

const daySeconds = 24 * 60 * 60

func dayOf(year int, month time.Month, date int) day {
	return day(floorDiv(time.Date(year, month, date, 0, 0, 0, 0, time.UTC).Unix(), daySeconds))
}

// dayAt is the date that a calendar on the wall shows at the moment.
func dayAt(at time.Time, zone *time.Location) day { return dayOf(at.In(zone).Date()) }

func (d day) date() (year int, month time.Month, date int) {
	return time.Unix(int64(d)*daySeconds, 0).UTC().Date()
}

func (d day) weekday() time.Weekday {
	// 1970-01-01 was a Thursday.
	return time.Weekday(((int(d)+int(time.Thursday))%7 + 7) % 7)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// monthEnd is the last day of the day's month.
func (d day) monthEnd() day {
	year, month, _ := d.date()
	return dayOf(year, month+1, 1) - 1
}

// monthStart is the first day of the day's month.
func (d day) monthStart() day {
	year, month, _ := d.date()
	return dayOf(year, month, 1)
}

// moment returns when clocks in the zone show so many minutes after the midnight
// with which the day begins. Where they skip that time, it is when they do; where
// they show it twice, it is the first, or with late the last.
func moment(d day, minutes int, zone *time.Location, late bool) time.Time {
	shown := int64(d)*daySeconds + int64(minutes)*60 // as if the zone were UTC
	// No zone is further from UTC than 15 hours.
	at := time.Unix(shown-15*60*60, 0).In(zone)
	last := time.Unix(shown+15*60*60, 0)
	var skipped, found time.Time
	for {
		_, end := at.ZoneBounds()
		_, offset := at.Zone()
		candidate := time.Unix(shown-int64(offset), 0)
		if !candidate.Before(at) && (end.IsZero() || candidate.Before(end)) {
			if !late {
				return candidate.In(zone)
			}
			found = candidate
		}
		// The first moment of this stretch already shows a later time.
		if skipped.IsZero() && at.Unix()+int64(offset) > shown {
			skipped = at
		}
		if end.IsZero() || end.After(last) {
			break
		}
		at = end
	}
	if !found.IsZero() {
		return found.In(zone)
	}
	return skipped
}

// parseTimeOfDay returns the minutes after midnight, 0 to 1440.
func parseTimeOfDay(text approvalv1.TimeOfDay) (int, error) {
	bad := func() (int, error) {
		return 0, fmt.Errorf("could not read the time %q: write it as 22:30", string(text))
	}
	if len(text) != 5 || text[2] != ':' {
		return bad()
	}
	hour, minute := twoDigits(string(text[:2])), twoDigits(string(text[3:]))
	if hour < 0 || minute < 0 || minute > 59 || hour > 24 || (hour == 24 && minute != 0) {
		return bad()
	}
	return hour*60 + minute, nil
}

func twoDigits(text string) int {
	if text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9' {
		return -1
	}
	return int(text[0]-'0')*10 + int(text[1]-'0')
}

func parseDate(text approvalv1.Date) (day, error) {
	at, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return 0, fmt.Errorf("could not read the date %q: write it as 2026-02-17", string(text))
	}
	return dayOf(at.Date()), nil
}

// parseDayOfYear returns month*100+day, which orders the days of a year.
func parseDayOfYear(text approvalv1.DayOfYear) (int, error) {
	// 2024 has a 29th of February.
	at, err := time.Parse(time.DateOnly, "2024-"+string(text))
	if err != nil || len(text) != 5 {
		return 0, fmt.Errorf("could not read the day %q: write it as 12-25 (month-day)", string(text))
	}
	_, month, date := at.Date()
	return int(month)*100 + date, nil
}
