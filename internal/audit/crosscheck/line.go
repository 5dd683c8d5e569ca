// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package crosscheck

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// The accounts of Fairway itself, by name and by group: on the hub, and in members.
const (
	ownAccount  = "fairway"
	hubGroup    = "fairway:system"
	memberGroup = "fairway:hub"
)

// MarkName names what the server asks an API server to delete, as a dry run and
// knowing that it is not there: the line of that request shows that the log is
// written, notes what Fairway does, and arrives.
const MarkName = "fairway-audit-mark"

// ErrNoEvent says that a line of an audit log is no event.
var ErrNoEvent = errors.New("it is no JSON event")

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
	// RequestObject is there at level Request: of a deletion its options, which
	// clients send there and not in the address.
	RequestObject struct {
		Kind   string
		DryRun []string `json:"dryRun"`
	} `json:"requestObject"`
	Received time.Time `json:"requestReceivedTimestamp"`
}

type user struct {
	Username string
	Groups   []string
}

func (u user) is(group string) bool { return slices.Contains(u.Groups, group) }

// Rules say which writes in a log have to have a record.
type Rules struct {
	// Hub says that it is the hub's log: every write to Fairway's kinds counts that
	// Fairway's own account did not make. Otherwise it is a member's: every write of
	// Fairway's account counts, and every one in Fairway's namespaces.
	Hub bool
	// Ours says whether a namespace of a member is one that Fairway made for an
	// application. Nil: none is known.
	Ours func(namespace string) bool
	// Known are further accounts whose writes in a member's namespaces are their own
	// business: names, or "group:" and a group's name.
	Known []string
}

// Noted is what one line says.
type Noted struct {
	// Time when the request came, by the clock of the API server.
	Time time.Time
	// Mark says that it is a mark of this server (see MarkName).
	Mark bool
	// Write that has to have a record. Nil: it is none.
	Write *Write
}

// Read reads one line of a log. It fails with ErrNoEvent.
func (r Rules) Read(line []byte) (Noted, error) {
	e := event{}
	if err := json.Unmarshal(line, &e); err != nil {
		return Noted{}, ErrNoEvent
	}
	noted := Noted{Time: e.Received, Mark: r.marks(e)}
	if !e.happened() {
		return noted, nil
	}
	counts, foreign := r.inMember(e)
	if r.Hub {
		counts, foreign = r.onHub(e)
	}
	if !counts {
		return noted, nil
	}
	actor := e.User
	if e.ImpersonatedUser != nil {
		actor = *e.ImpersonatedUser
	}
	subject := index.SubjectOf("write /apis/group/version/" + e.ObjectRef.Resource)
	subject.Namespace, subject.Name = e.ObjectRef.Namespace, e.ObjectRef.Name
	noted.Write = &Write{Time: e.Received, Person: actor.Username, Verb: e.Verb, Subject: subject, Part: e.ObjectRef.Subresource, Audit: e.AuditID, Foreign: foreign}
	if actor.Username != e.User.Username {
		noted.Write.Through = e.User.Username
	}
	return noted, nil
}

var writes = []string{"create", "update", "patch", "delete", "deletecollection"}

// into are the ways into a pod. They change what runs, whatever their verb.
var into = []string{"exec", "attach", "portforward", "proxy"}

// happened says whether the request changed something: one that succeeded, and was
// no dry run.
func (e event) happened() bool {
	if e.Kind != "Event" || e.Stage != "ResponseComplete" || e.ObjectRef == nil || e.ResponseStatus == nil {
		return false
	}
	code := e.ResponseStatus.Code
	if slices.Contains(into, e.ObjectRef.Subresource) {
		return code == 101 || code >= 200 && code <= 299
	}
	if code < 200 || code > 299 || !slices.Contains(writes, e.Verb) {
		return false
	}
	if e.RequestObject.Kind == "DeleteOptions" && len(e.RequestObject.DryRun) > 0 {
		return false
	}
	at, err := url.Parse(e.RequestURI)
	return err != nil || at.Query().Get("dryRun") == ""
}

// own says whether Fairway's account asked, for itself or for somebody.
func (r Rules) own(u user) bool {
	if r.Hub {
		return u.is(hubGroup)
	}
	return u.Username == ownAccount || u.is(memberGroup)
}

func (r Rules) marks(e event) bool {
	return e.Kind == "Event" && e.ObjectRef != nil && e.ObjectRef.Name == MarkName && e.Verb == "delete" && e.ImpersonatedUser == nil && r.own(e.User)
}

// onHub says whether a write on the hub has to have a record, and why no record
// can be its own: somebody else acted under a name that is not his.
func (r Rules) onHub(e event) (counts bool, foreign string) {
	if !strings.HasSuffix(e.ObjectRef.APIGroup, httpapi.GroupSuffix) {
		return false, ""
	}
	switch {
	case e.ImpersonatedUser != nil && !r.own(e.User):
		return true, "somebody else than Fairway acts under this name"
	case e.ImpersonatedUser == nil && r.own(e.User), e.ImpersonatedUser == nil && housekeeping(e):
		return false, ""
	}
	return true, ""
}

// keepers are the controllers of Kubernetes itself that write objects of kinds
// which they do not know, and what they do to them.
var keepers = map[string][]string{
	"system:serviceaccount:kube-system:generic-garbage-collector": {"delete", "patch", "update"},
	"system:serviceaccount:kube-system:namespace-controller":      {"delete", "deletecollection", "update"},
	"system:kube-controller-manager":                              {"delete", "deletecollection", "patch", "update"},
}

// housekeeping says whether Kubernetes itself tidies up after a write that somebody
// made: what owned the object, or its namespace, is gone.
func housekeeping(e event) bool { return slices.Contains(keepers[e.User.Username], e.Verb) }

// inMember says whether a write in a member has to have a record, and why no record
// can be its own: in Fairway's namespaces nobody else writes.
func (r Rules) inMember(e event) (counts bool, foreign string) {
	switch e.ObjectRef.APIGroup {
	case "coordination.k8s.io", "authorization.k8s.io", "authentication.k8s.io", "events.k8s.io":
		return false, ""
	}
	if e.ObjectRef.Resource == "events" {
		return false, ""
	}
	if r.own(e.User) {
		return true, ""
	}
	namespace := e.ObjectRef.Namespace
	if e.ObjectRef.Resource == "namespaces" {
		namespace = e.ObjectRef.Name
	}
	if namespace == "" || r.Ours == nil || !r.Ours(namespace) || e.ImpersonatedUser == nil && r.business(e.User) {
		return false, ""
	}
	return true, "somebody else than Fairway writes in a namespace of Fairway's"
}

// components are the parts of a cluster that write in everybody's namespaces.
var components = struct{ names, groups []string }{
	[]string{"system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"},
	[]string{"system:nodes", "system:serviceaccounts:kube-system"},
}

// business says whether an account writes in a member's namespaces as its own
// business: a part of the cluster, or one that is known.
func (r Rules) business(u user) bool {
	if slices.Contains(components.names, u.Username) || slices.Contains(r.Known, u.Username) {
		return true
	}
	return slices.ContainsFunc(u.Groups, func(group string) bool {
		return slices.Contains(components.groups, group) || slices.Contains(r.Known, "group:"+group)
	})
}
