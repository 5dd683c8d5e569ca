// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package window

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// schedule says at which minutes of which days a window opens. The days are those
// of a cron expression; what clock changes do to its minutes is decided by moment.
type schedule struct {
	spec    *cron.SpecSchedule
	minutes []int
}

const (
	cronCharacters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz*,/?- "
	// cronStar marks a field of the parser's result that was "*".
	cronStar = uint64(1) << 63
	// mostStarts of windows in a day: a window that opens more often is a mistake.
	mostStarts = 24
)

var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func parseCron(text string) (schedule, error) {
	if strings.Trim(text, cronCharacters) != "" || strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(cronCharacters, r) }) {
		return schedule{}, fmt.Errorf("could not read the cron expression %q: it has five fields, such as 30 1 * * 6", text)
	}
	parsed, err := cronParser.Parse(text)
	if err != nil {
		return schedule{}, fmt.Errorf("could not read the cron expression %q: %w", text, err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return schedule{}, fmt.Errorf("could not read the cron expression %q: it has five fields, such as 30 1 * * 6", text)
	}
	s := schedule{spec: spec}
	if n := bits.OnesCount64(spec.Hour&^cronStar) * bits.OnesCount64(spec.Minute&^cronStar); n > mostStarts {
		return schedule{}, fmt.Errorf("could not use the cron expression %q: it opens %d windows a day, at most %d are possible", text, n, mostStarts)
	}
	for hour := range 24 {
		for minute := range 60 {
			if spec.Hour&(1<<hour) != 0 && spec.Minute&(1<<minute) != 0 {
				s.minutes = append(s.minutes, hour*60+minute)
			}
		}
	}
	return s, nil
}

// on says whether the schedule has the day: as everywhere in cron, where both day
// of the month and day of the week are given, one of them is enough.
func (s schedule) on(d day) bool {
	_, month, date := d.date()
	if s.spec.Month&(1<<uint(month)) == 0 {
		return false
	}
	byDate, byWeekday := s.spec.Dom&(1<<uint(date)) != 0, s.spec.Dow&(1<<uint(d.weekday())) != 0
	if s.spec.Dom&cronStar != 0 || s.spec.Dow&cronStar != 0 {
		return byDate && byWeekday
	}
	return byDate || byWeekday
}

var weekdays = map[string]time.Weekday{
	"Sunday": time.Sunday, "Monday": time.Monday, "Tuesday": time.Tuesday, "Wednesday": time.Wednesday,
	"Thursday": time.Thursday, "Friday": time.Friday, "Saturday": time.Saturday,
}
