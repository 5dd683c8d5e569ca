// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package retention says how long the log of a year is kept. Records have classes
// with terms; a log of a year goes as a whole, so it stays for the longest term of
// any class in it, for every legal hold, and for as long as an older one stays.
// Nothing in Fairway removes a record: whoever keeps the disk removes a whole year
// once this says that it may go.
package retention

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// Policy says how long records are kept.
type Policy struct {
	// Terms in whole years by class, counted from the end of the year. At least 1;
	// at most 100. Default: see Defaults.
	Terms map[audit.Class]int `json:"terms,omitempty"`
	// Holds keep years whatever their term. Default: none.
	Holds []Hold `json:"holds,omitempty"`
}

// Hold is a legal hold.
type Hold struct {
	// Name of the case.
	Name string `json:"name"`
	// Reason in the words of who ordered it.
	Reason string `json:"reason"`
	// FromYear and ToYear are the years that are held, both included.
	FromYear int `json:"fromYear"`
	ToYear   int `json:"toYear"`
}

// Defaults are the terms of classes that a policy leaves out.
func Defaults() map[audit.Class]int {
	return map[audit.Class]int{audit.ClassSystem: 1, audit.ClassLogin: 1, audit.ClassChange: 5, audit.ClassApproval: 10, audit.ClassCrosscheck: 10}
}

// Parse reads a policy from YAML. Empty: the defaults.
func Parse(raw []byte) (Policy, error) {
	p := Policy{}
	if err := yaml.UnmarshalStrict(raw, &p); err != nil {
		return p, fmt.Errorf("could not read the retention of evidence: %w", err)
	}
	terms := Defaults()
	for _, class := range slices.Sorted(maps.Keys(p.Terms)) {
		years := p.Terms[class]
		if _, known := terms[class]; !known {
			return p, fmt.Errorf("could not read the retention of evidence: there is no class %q; there are approval, change, crosscheck, login and system", class)
		}
		if years < 1 || years > 100 {
			return p, fmt.Errorf("could not read the retention of evidence: the term of class %q is %d years; it is 1 to 100", class, years)
		}
		terms[class] = years
	}
	p.Terms = terms
	for i, h := range p.Holds {
		if strings.TrimSpace(h.Name) == "" || strings.TrimSpace(h.Reason) == "" || h.FromYear < 1970 || h.ToYear < h.FromYear {
			return p, fmt.Errorf("could not read the retention of evidence: hold %d needs a name, a reason, and years from 1970 on in order", i+1)
		}
	}
	return p, nil
}

// Year is the log of one year.
type Year struct {
	// Year by the calendar of UTC.
	Year int `json:"year"`
	// Classes of the records in it.
	Classes []audit.Class `json:"classes"`
}

// Verdict says whether the log of a year may go.
type Verdict struct {
	Year
	// KeptUntil is when its longest term ends.
	KeptUntil time.Time `json:"keptUntil"`
	// Holds that keep it.
	Holds []string `json:"holds,omitempty"`
	// May says "go" or "not go".
	May string `json:"may"`
	// Why in a sentence.
	Why string `json:"why"`
}

// What a log may.
const (
	Go    = "go"
	NotGo = "not go"
)

// Judge says of each year, the oldest first, whether its log may go at now.
func (p Policy) Judge(years []Year, now time.Time) []Verdict {
	years = slices.Clone(years)
	slices.SortFunc(years, func(a, b Year) int { return a.Year - b.Year })
	var verdicts []Verdict
	older := 0
	for _, y := range years {
		v := Verdict{Year: y, May: NotGo}
		class, term := p.longest(y.Classes)
		v.KeptUntil = time.Date(y.Year+1+term, 1, 1, 0, 0, 0, 0, time.UTC)
		for _, h := range p.Holds {
			if y.Year >= h.FromYear && y.Year <= h.ToYear {
				v.Holds = append(v.Holds, h.Name)
			}
		}
		switch {
		case now.Before(v.KeptUntil):
			v.Why = fmt.Sprintf("records of class %s are kept for %d years", class, term)
		case len(v.Holds) > 0:
			v.Why = "held for " + strings.Join(v.Holds, ", ")
		case older != 0:
			v.Why = fmt.Sprintf("the log of %d stays, and later ones are chained to it", older)
		default:
			v.May, v.Why = Go, "every term has ended and nothing holds it"
		}
		if v.May == NotGo && older == 0 {
			older = y.Year
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// longest is the class that is kept longest. A class that nobody knows is kept as
// long as any.
func (p Policy) longest(classes []audit.Class) (class audit.Class, term int) {
	most := 0
	for _, t := range p.Terms {
		most = max(most, t)
	}
	class, term = audit.ClassSystem, p.Terms[audit.ClassSystem]
	for _, c := range classes {
		t, known := p.Terms[c]
		if !known {
			t = most
		}
		if t > term {
			class, term = c, t
		}
	}
	return class, term
}
