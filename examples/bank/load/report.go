// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Report is the result of a run.
type Report struct {
	// OK is false when anything was wrong, at any URL.
	OK bool `json:"ok"`
	// Seconds is how long transfers were sent.
	Seconds float64 `json:"seconds"`
	// Total is over all URLs, Targets one by one.
	Total   Numbers  `json:"total"`
	Targets []Target `json:"targets"`
}

// Numbers count transfers. Times run from the moment a transfer was due.
type Numbers struct {
	Sent    int     `json:"sent"`
	Ok      int     `json:"ok"`
	Refused int     `json:"refused"`
	Failed  int     `json:"failed"`
	P50     float64 `json:"p50Milliseconds"`
	P99     float64 `json:"p99Milliseconds"`
	Max     float64 `json:"maxMilliseconds"`
}

// Target is what happened at one URL.
type Target struct {
	URL string `json:"url"`
	// DCN as the application there says.
	DCN string `json:"dcn"`
	Numbers
	SumBefore int64 `json:"sumBefore"`
	SumAfter  int64 `json:"sumAfter"`
	// Recorded is how many more transfers the ledger knows than before.
	Recorded int64 `json:"recorded"`
	// Errors are the first failures, in order.
	Errors []Failure `json:"errors,omitempty"`
	// Wrong says in words why this target makes the run fail.
	Wrong []string `json:"wrong,omitempty"`
}

// Failure is one transfer that got no answer, or a wrong one.
type Failure struct {
	// After is when it was sent, in seconds from the start.
	After float64 `json:"afterSeconds"`
	Error string  `json:"error"`
}

// shownErrors is how many failures a report names per URL.
const shownErrors = 5

// tally collects outcomes of one URL.
type tally struct {
	mu      sync.Mutex
	numbers Numbers
	times   []time.Duration
	errors  []Failure
}

// outcome of one transfer.
type outcome struct {
	refused bool
	err     error
	after   time.Duration // when it was sent
	took    time.Duration
}

func (t *tally) add(o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.numbers.Sent++
	t.times = append(t.times, o.took)
	switch {
	case o.err != nil:
		t.numbers.Failed++
		if len(t.errors) < shownErrors {
			t.errors = append(t.errors, Failure{o.after.Seconds(), o.err.Error()})
		}
	case o.refused:
		t.numbers.Refused++
	default:
		t.numbers.Ok++
	}
}

// summarise puts tallies and the sums read before and after into a report.
func summarise(targets []*target, seconds float64) Report {
	report := Report{OK: true, Seconds: seconds}
	var all []time.Duration
	for _, t := range targets {
		one := Target{
			URL: t.url, DCN: t.dcn, Numbers: t.tally.numbers, Errors: t.tally.errors,
			SumBefore: t.before.Sum, SumAfter: t.after.Sum, Recorded: t.after.Transfers - t.before.Transfers,
		}
		one.measure(t.tally.times)
		one.Wrong = wrong(one, t.afterErr)
		report.OK = report.OK && len(one.Wrong) == 0
		report.Targets = append(report.Targets, one)
		report.Total.Sent += one.Sent
		report.Total.Ok += one.Ok
		report.Total.Refused += one.Refused
		report.Total.Failed += one.Failed
		all = append(all, t.tally.times...)
	}
	report.Total.measure(all)
	return report
}

func wrong(t Target, afterErr error) []string {
	var out []string
	if t.Failed > 0 {
		out = append(out, fmt.Sprintf("%d of %d transfers failed", t.Failed, t.Sent))
	}
	if t.Sent == 0 {
		out = append(out, "nothing was sent")
	}
	if afterErr != nil {
		return append(out, fmt.Sprintf("the sum afterwards is unknown: %v", afterErr))
	}
	if t.SumBefore != t.SumAfter {
		out = append(out, fmt.Sprintf("the sum changed from %d to %d", t.SumBefore, t.SumAfter))
	}
	if t.Recorded < int64(t.Ok) {
		out = append(out, fmt.Sprintf("%d transfers were acknowledged but only %d are recorded", t.Ok, t.Recorded))
	}
	return out
}

func (n *Numbers) measure(times []time.Duration) {
	if len(times) == 0 {
		return
	}
	sorted := slices.Sorted(slices.Values(times))
	at := func(share float64) float64 {
		return float64(sorted[int(share*float64(len(sorted)-1))].Microseconds()) / 1000
	}
	n.P50, n.P99, n.Max = at(0.50), at(0.99), at(1)
}

func (r Report) text() string {
	var out strings.Builder
	for _, t := range r.Targets {
		fmt.Fprintf(&out, "%s (%s)\n", t.URL, t.DCN)
		fmt.Fprintf(&out, "  %s\n", t.Numbers)
		fmt.Fprintf(&out, "  sum %d before, %d after; %d transfers recorded\n", t.SumBefore, t.SumAfter, t.Recorded)
		for _, failure := range t.Errors {
			fmt.Fprintf(&out, "  failed after %.1f s: %s\n", failure.After, failure.Error)
		}
		for _, why := range t.Wrong {
			fmt.Fprintf(&out, "  WRONG: %s\n", why)
		}
	}
	verdict := "ok"
	if !r.OK {
		verdict = "NOT OK"
	}
	fmt.Fprintf(&out, "%s in %.1f s: %s\n", verdict, r.Seconds, r.Total)
	return out.String()
}

// String is one line.
func (n Numbers) String() string {
	return fmt.Sprintf("%d sent, %d ok, %d refused, %d failed; p50 %.1f ms, p99 %.1f ms, max %.1f ms",
		n.Sent, n.Ok, n.Refused, n.Failed, n.P50, n.P99, n.Max)
}
