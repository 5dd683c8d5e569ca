// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package crosscheck reads what API servers themselves noted (the audit log of
// Kubernetes, one JSON event per line) and finds writes that evidence knows
// nothing of: to Fairway's kinds on the hub, and by Fairway's account in members.
package crosscheck

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Write is a write that an API server carried out.
type Write struct {
	// Time when it came.
	Time time.Time
	// Person who asked, behind impersonation too.
	Person string
	// Verb of Kubernetes, such as create.
	Verb string
	// Subject that was written. The name is empty where the hub made it.
	Subject index.Subject
	// Audit is the event's id.
	Audit string
}

func (w Write) String() string {
	return fmt.Sprintf("%s: %s of %s by %s (event %s)", w.Time.UTC().Format(time.RFC3339), w.Verb, strings.Trim(w.Subject.Key(), "/"), w.Person, w.Audit)
}

// event is what is read of an audit event.
type event struct {
	Kind             string
	Stage            string
	AuditID          string `json:"auditID"`
	Verb             string
	RequestURI       string `json:"requestURI"`
	User             user
	ImpersonatedUser *user `json:"impersonatedUser"`
	ObjectRef        *struct {
		Resource, Namespace, Name, Subresource string
		APIGroup                               string `json:"apiGroup"`
	} `json:"objectRef"`
	ResponseStatus *struct{ Code int } `json:"responseStatus"`
	Received       time.Time           `json:"requestReceivedTimestamp"`
}

type user struct {
	Username string
	Groups   []string
}

// The accounts of Fairway itself.
const (
	hubGroup    = "fairway:system"
	memberGroup = "fairway:hub"
)

// Hub reads the writes to Fairway's kinds that Fairway's own account did not make.
func Hub(log io.Reader) ([]Write, error) {
	return read(log, func(e event, actor user) bool {
		return strings.HasSuffix(e.ObjectRef.APIGroup, httpapi.GroupSuffix) && !slices.Contains(actor.Groups, hubGroup)
	})
}

// Member reads the writes of Fairway's account in a member. Leases and questions
// about rights are no writes to what runs.
func Member(log io.Reader) ([]Write, error) {
	return read(log, func(e event, actor user) bool {
		switch e.ObjectRef.APIGroup {
		case "coordination.k8s.io", "authorization.k8s.io", "authentication.k8s.io":
			return false
		}
		return slices.Contains(actor.Groups, memberGroup)
	})
}

var writes = []string{"create", "update", "patch", "delete", "deletecollection"}

func read(log io.Reader, counts func(event, user) bool) ([]Write, error) {
	in := bufio.NewReaderSize(log, 1<<20)
	var found []Write
	for number := 1; ; number++ {
		line, err := in.ReadBytes('\n')
		if len(strings.TrimSpace(string(line))) > 0 {
			e := event{}
			if parse := json.Unmarshal(line, &e); parse != nil {
				return found, fmt.Errorf("could not read line %d of the audit log: it is no JSON event; a log that was cut in the middle ends here", number)
			}
			if w, ok := e.write(counts); ok {
				found = append(found, w)
			}
		}
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, fmt.Errorf("could not read the audit log: %w", err)
		}
	}
}

func (e event) write(counts func(event, user) bool) (Write, bool) {
	if e.Kind != "Event" || e.Stage != "ResponseComplete" || e.ObjectRef == nil || e.ResponseStatus == nil ||
		e.ResponseStatus.Code < 200 || e.ResponseStatus.Code > 299 || !slices.Contains(writes, e.Verb) {
		return Write{}, false
	}
	actor := e.User
	if e.ImpersonatedUser != nil {
		actor = *e.ImpersonatedUser
	}
	if at, err := url.Parse(e.RequestURI); err != nil || at.Query().Get("dryRun") != "" || !counts(e, actor) {
		return Write{}, false
	}
	subject := index.SubjectOf("write /apis/group/version/" + e.ObjectRef.Resource)
	subject.Namespace, subject.Name = e.ObjectRef.Namespace, e.ObjectRef.Name
	return Write{Time: e.Received, Person: actor.Username, Verb: e.Verb, Subject: subject, Audit: e.AuditID}, true
}

// slack is how far the clocks of two machines may be apart.
const slack = 5 * time.Second

// longest is how long before a write its act may have been recorded.
const longest = 10 * time.Minute

// Window is the time in which acts can account for writes.
func Window(all []Write) (from, to time.Time) {
	for i, w := range all {
		if i == 0 || w.Time.Before(from) {
			from = w.Time
		}
		if i == 0 || w.Time.After(to) {
			to = w.Time
		}
	}
	return from.Add(-longest), to.Add(slack)
}

// Unaccounted returns the writes on the hub that no act accounts for: one of the
// same person on the same object, which was under way at that time.
func Unaccounted(all []Write, acts []index.Act) []Write {
	return without(all, acts, func(w Write, a index.Act) bool {
		of := index.SubjectOf(a.Subject)
		return a.Person == w.Person && of.Kind == w.Subject.Kind && of.Namespace == w.Subject.Namespace && (w.Subject.Name == "" || of.Name == w.Subject.Name || of.Name == "")
	})
}

// UnaccountedIn returns the writes in a member that no act in that cluster
// accounts for.
func UnaccountedIn(cluster string, all []Write, acts []index.Act) []Write {
	return without(all, acts, func(_ Write, a index.Act) bool { return a.Cluster == cluster })
}

func without(all []Write, acts []index.Act, fits func(Write, index.Act) bool) []Write {
	var left []Write
	for _, w := range all {
		if !slices.ContainsFunc(acts, func(a index.Act) bool { return underWay(a, w.Time) && fits(w, a) }) {
			left = append(left, w)
		}
	}
	return left
}

// underWay says whether an act was being carried out at a moment.
func underWay(a index.Act, at time.Time) bool {
	if at.Before(a.Time.Add(-slack)) {
		return false
	}
	if a.Ended == nil {
		return at.Before(a.Time.Add(longest))
	}
	return !at.After(a.Ended.Add(slack))
}
