// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package index

import (
	"strings"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// doing says what a verb does, in the words of a sentence about somebody. What is
// not here is told by the last part of its verb.
var doing = map[string]string{
	"app.revise":           "froze a revision of",
	"approval.decide":      "decided on",
	"audit.export":         "exported evidence:",
	"audit.rebuild":        "had the index made anew:",
	"delivery.step":        "changed what runs, by",
	"fleet.join":           "took in",
	"identity.accountCode": "was shown one of two codes of",
	"identity.agree":       "agreed to",
	"identity.amend":       "changed, as two agreed,",
	"identity.login":       "logged in as",
	"identity.logout":      "logged out as",
	"identity.propose":     "proposed",
	"identity.refuse":      "refused",
	"release.cleanup":      "removed what nothing names any more of",
	"release.create":       "asked for",
	"release.createIn":     "asked for",
	"release.start":        "began",
	"release.step":         "took a step of",
	"release.stop":         "stopped",
	"server.hub":           "sent the hub",
	"approval.attend":      "was present at",
	"approval.operate":     "operated",
	"approval.request":     "asked for approval:",
	"approval.review":      "reviewed",
	"approval.verify":      "verified",
}

// done are the last parts of verbs, in the past.
var done = map[string]string{
	"apply": "applied", "approve": "approved", "cancel": "cancelled", "create": "made", "createIn": "made", "decide": "decided on", "delete": "deleted",
	"escalate": "escalated", "expire": "let expire", "join": "took in", "pause": "paused", "reject": "rejected", "resume": "resumed", "revoke": "revoked",
	"stop": "stopped", "update": "changed", "void": "voided", "withdraw": "withdrew",
}

// Sentence tells the act in plain words: who did what, for which release, why, and
// how it ended.
func (a Act) Sentence() string {
	out := &strings.Builder{}
	out.WriteString(orSomebody(a.Person) + " " + a.deed() + " " + a.what())
	if a.Cluster != "" {
		out.WriteString(" in cluster " + a.Cluster)
	}
	if a.Release != "" && !strings.HasSuffix(a.Subject, a.Release) {
		out.WriteString(" for release " + bare(a.Release))
	}
	if a.Approval != "" && !strings.HasSuffix(a.Subject, a.Approval) {
		if strings.HasPrefix(a.Verb, "approval.") {
			out.WriteString(" about request " + bare(a.Approval))
		} else {
			out.WriteString(", covered by approval " + bare(a.Approval))
		}
	}
	switch {
	case a.Ticket != "" && a.Reason != "":
		out.WriteString(" (" + a.Ticket + ": " + a.Reason + ")")
	case a.Ticket+a.Reason != "":
		out.WriteString(" (" + a.Ticket + a.Reason + ")")
	}
	out.WriteString(": " + a.ending())
	return out.String()
}

func (a Act) deed() string {
	if text, ok := doing[a.Verb]; ok {
		return text
	}
	_, last, ok := strings.Cut(a.Verb, ".")
	if text, known := done[last]; ok && known {
		return text
	}
	return "did " + a.Verb + " on"
}

// what is the subject as people say it: the kind, the name and where it lives.
func (a Act) what() string {
	if strings.Contains(a.Subject, " ") {
		return a.Subject
	}
	parts := strings.SplitN(a.Subject, "/", 3)
	switch len(parts) {
	case 3:
		if a.Cluster != "" && strings.HasSuffix(parts[1], "-"+a.Cluster) {
			return strings.ToLower(parts[0]) + " " + parts[2] // the cluster is told anyway
		}
		return strings.ToLower(parts[0]) + " " + parts[2] + " in " + parts[1]
	case 2:
		return strings.ToLower(parts[0]) + " " + parts[1]
	}
	return a.Subject
}

func (a Act) ending() string {
	switch a.Result {
	case Underway:
		return "no outcome is recorded yet"
	case audit.Done:
		if strings.HasPrefix(a.Message, audit.Made) {
			return "done" // the subject bears the name by now
		}
		return because("done", a.Message)
	case audit.Unknown:
		return because("nobody knows whether it happened", a.Message)
	}
	return because(strings.ToLower(string(a.Result)), a.Message)
}

func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ", " + why
}

func bare(name string) string {
	if _, last, ok := strings.Cut(name, "/"); ok {
		return last
	}
	return name
}

func orSomebody(person string) string {
	if person == "" {
		return "somebody"
	}
	return person
}
