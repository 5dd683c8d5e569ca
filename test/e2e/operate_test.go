// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// manager is the bank's change manager, by her login.
const manager = "zhao.min"

// TestWhoOperatesAndWhoReviewsOnLine carries a heavy change of the card centre through:
// six people ask, make, agree, operate, review on line and verify. After a stop it goes
// on only once the two who carry it out say so anew.
func TestWhoOperatesAndWhoReviewsOnLine(t *testing.T) {
	in(t, &lanes.cards)
	const namespace, file = "cards-prod", "examples/bank/applications/card-center.yaml"
	before := running(t, namespace)
	raw, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	as(t, maker, "apply", "-f", write(t, "card-center.yaml", strings.ReplaceAll(string(raw), "bank/ledger:v1", "bank/ledger:v2")), "--wait")
	release := request(t, cards, "card-center", namespace, "--reason", "card ledger v2", "--change-class", "Important", "--attach", "RiskAssessment=DOC-3")
	name := pending(t, namespace, release)
	agree(t, namespace, release)

	waits := func(says string) {
		t.Helper()
		until(t, time.Minute, "the release to say "+says, func() (bool, string) {
			said := as(t, cards, "release", "status", release, "-n", namespace)
			return strings.Contains(said, says), said
		})
	}
	says := func(person, word string) { as(t, person, "approval", word, name, "-n", namespace, "--comment", "here") }
	refuses := func(person, word, why string) {
		t.Helper()
		if code, said := refused(t, "approval", word, name, "-n", namespace, "--context", person); code != 3 || !strings.Contains(said, why) {
			t.Errorf("%s %s: exit %d: %s", person, word, code, said)
		}
	}
	waits("waits for whoever operates it")
	refuses(cards, "operate", "is not among those who do that")
	refuses(technology, "operate", "is not among those who do that")
	refuses(manager, "operate", "is not among those who do that")
	says(duty, "operate")
	waits("waits for whoever reviews it on line")
	refuses(duty, "attend", "has the part of Operator already")
	refuses(business, "attend", "is not among those who do that")
	for seat, i := range running(t, namespace) {
		if i.IP != before[seat].IP {
			t.Errorf("%s was replaced before anybody carried it out", seat)
		}
	}
	says(manager, "attend")
	waits("Progressing   True")
	as(t, duty, "release", "stop", release, "-n", namespace)
	waits("Stopped")

	// What was said for the start does not hold for going on.
	if code, said := refused(t, "release", "resume", release, "-n", namespace, "--context", duty); code != 3 {
		t.Errorf("whoever may stop may not let go on: exit %d: %s", code, said)
	}
	as(t, cards, "release", "resume", release, "-n", namespace, "--reason", "looked at")
	waits("waits for whoever operates it")
	says(duty, "operate")
	waits("waits for whoever reviews it on line")
	says(manager, "attend")
	as(t, cards, "release", "status", release, "-n", namespace, "--wait", "--timeout", "4m")
	until(t, time.Minute, "the verifier to be asked", func() (bool, string) {
		_, err := command(t.Context(), "approval", "verify", name, "-n", namespace, "--context", verifier, "--comment", "answers as v2")
		return err == nil, fmt.Sprint(err)
	})
	story := ""
	for _, wanted := range []string{"p10014 asked for", "p10005 approved", "p10006 approved", "p10004 operated", "p10007 was present at", "p10004 stopped", "p10014 resumed", "looked at", "p10008 verified"} {
		until(t, time.Minute, fmt.Sprintf("the story to tell %q", wanted), func() (bool, string) {
			story = as(t, auditor, "audit", "history", "release/"+release, "-n", namespace)
			return strings.Contains(story, wanted), story
		})
	}
	for _, twice := range []string{"p10004 operated", "p10007 was present at"} {
		if strings.Count(story, twice) < 2 {
			t.Errorf("%s at the start and after the stop:\n%s", twice, story)
		}
	}
	t.Log(story)
	seat := ""
	for s := range before {
		seat = s
	}
	as(t, cards, "release", "start", "card-center", "-n", namespace, "--kind", "Rollback", "--revision", before[seat].Revision, "--reason", "as it was", "--wait")
	as(t, maker, "apply", "-f", file, "--wait")
}
