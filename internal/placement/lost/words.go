// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost

import (
	"fmt"
	"slices"
	"strings"
	"time"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// clock is a moment as it is told everywhere: in UTC.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func from(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " since " + clock(t)
}

// cut divides a rack's name into its data centre and its own.
func cut(name string) (site, rack string) {
	site, rack, _ = strings.Cut(name, "/")
	return site, rack
}

func instances(n int) string {
	if n == 1 {
		return "1 instance"
	}
	return fmt.Sprintf("%d instances", n)
}

// mostPlaces is how many places a sentence names, mostChecked how many are checked one by one,
// mostStaying how many components a check says of that they stay. What a proposal has checked
// is at most mostChecks lines of mostLetters each (placementv1.Cause).
const (
	mostPlaces  = 8
	mostChecked = 16
	mostStaying = 8
	mostChecks  = 64
	mostLetters = 512
)

// bounded are lines as a proposal holds them.
func bounded(lines []string) []string {
	lines = slices.Clone(few(lines, mostChecks-1, "things to make sure of"))
	for i, line := range lines {
		if letters := []rune(line); len(letters) > mostLetters {
			lines[i] = string(letters[:mostLetters-2]) + " …"
		}
	}
	return lines
}

// told says a cause in one line.
func told(c placementv1.Cause) string {
	var places, gains []string
	for _, p := range c.Places {
		places = append(places, fmt.Sprintf("%s %s", word(p.Kind), p.Name)+from(p.Since.Time))
	}
	for _, g := range c.Gains {
		gains = append(gains, fmt.Sprintf("%s to %s", instances(int(g.Instances)), g.Cluster))
	}
	if c.Kind == placementv1.CauseNoRoom {
		return toldWaits(c.Waits) + "; " + strings.Join(gains, ", ")
	}
	verb := "lost"
	if c.Kind == placementv1.CauseRecovered {
		verb = "back"
	}
	return fmt.Sprintf("%s %s; %s", strings.Join(few(places, mostPlaces, "places"), ", "), verb, strings.Join(gains, ", "))
}

// Told says a cause in one line.
func Told(c placementv1.Cause) string { return told(c) }
