// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package register holds the REST handlers about the people of the bank: who may do
// what here, whether the hub's policies hold, and the import of people.
package register

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/amendments"
	"github.com/fairway-cloud/fairway/internal/identity/rights"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Config is what the handlers need. Made of nothing, the register has its routes, for
// the document of the API.
type Config struct {
	// Kinds that are served, by whose words people ask.
	Kinds []httpapi.Kind
	// Reviews ask the hub what somebody may.
	Reviews authorizationclient.SubjectAccessReviewInterface
	// Hub reads as the server: people, tenants and RBAC.
	Hub client.Reader
	// People are everybody.
	People func(ctx context.Context) (*identity.People, error)
	// As acts on the hub as the person who asks.
	As func(ctx context.Context) (client.Client, error)
	// Policies says whether the hub's policies hold.
	Policies func() rights.State
	// Own tries on the hub, as Fairway itself, what somebody proposes: it writes nothing.
	Own client.Client
	// Cases gathers what amendments are judged by, and Accounts are those of Fairway's
	// own; nil where there are none.
	Cases    *amendments.Reader
	Accounts amendments.Accounts
	// Prove sets the proof of an Amendment that its author proposes here.
	Prove func(ctx context.Context, a *identityv1.Amendment) error
}

// Register answers.
type Register struct{ Config }

// New makes the register.
func New(c Config) *Register { return &Register{c} }

const (
	base = "/api/v1/identity"
	// importLimit is the most bytes of one file.
	importLimit = 4 << 20
)

var questionDoc = []httpapi.Parameter{
	{Name: "verb", Text: "What is to be done, such as get, create, deploy or order."},
	{Name: "kind", Text: "What it is done to: a word of GET /api/v1/kinds, such as releases, or instances/log, records, sessions."},
	{Name: "namespace", Text: "Where. Default: everywhere."},
	{Name: "name", Text: "The object. Default: any."},
}

// Routes of the register.
func (r *Register) Routes() []httpapi.Route {
	routes := []httpapi.Route{
		{Method: http.MethodGet, Pattern: base + "/can-i", Room: "identity", Verb: "canI", Effect: httpapi.Reads, Handler: r.canI,
			Doc: httpapi.Doc{Summary: "Says whether you may do something, and by which role.", Response: "identity.Answer",
				Query: append(questionDoc[:4:4], httpapi.Parameter{Name: "person", Text: "Somebody else, by his id: for whoever may read the person. Groups that a directory vouches for at login are not known then."})}},
		{Method: http.MethodGet, Pattern: base + "/who-can", Room: "identity", Verb: "whoCan", Effect: httpapi.Reads, Handler: r.whoCan,
			Doc: httpapi.Doc{Summary: "Lists who may do something, and by which role.", Query: questionDoc, Response: "identity.HolderList"}},
		{Method: http.MethodGet, Pattern: base + "/policies", Room: "identity", Verb: "policies", Effect: httpapi.Reads, Handler: r.policies,
			Doc: httpapi.Doc{Summary: "Says whether the hub's admission policies, definitions and rights are those that the server was built with.", Response: "identity.Policies"}},
		{Method: http.MethodPost, Pattern: base + "/import", Room: "identity", Verb: "import", Effect: httpapi.Writes, DryRun: true, BodyLimit: importLimit, Handler: r.importPeople,
			Describe: func(*http.Request) (httpapi.Act, error) { return httpapi.Act{Subject: "Person/*"}, nil },
			Doc:      httpapi.Doc{Summary: "Brings people and tenants in from a CSV or JSON file, all or nothing. People are disabled and never deleted.", Query: importDoc, Response: "identity.Imported"}},
	}
	routes = append(routes, r.amendmentRoutes()...)
	if r.Reviews == nil {
		for i := range routes {
			routes[i].Handler = away
		}
	}
	return routes
}

// away answers for a register with nothing behind it.
func away(http.ResponseWriter, *http.Request) error {
	return httpapi.NewProblem(httpapi.CodeUnavailable, "nobody is known here yet")
}

func who(req *http.Request) identity.Person {
	person, _ := identity.FromContext(req.Context())
	return person
}

func answer(w http.ResponseWriter, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(raw, '\n'))
	return nil
}

// extra are words for what the server keeps itself, beside the kinds of the hub.
var extra = map[string]string{
	"instances": "delivery.fairway.cloud", "records": "audit.fairway.cloud",
	"sessions": "identity.fairway.cloud", "tokens": "identity.fairway.cloud", "accounts": "identity.fairway.cloud",
	"rolebindings": "rbac.authorization.k8s.io", "namespaces": "", "events": "",
}

// question reads what is asked.
func (r *Register) question(req *http.Request) (rights.Question, error) {
	values := req.URL.Query()
	q := rights.Question{Verb: values.Get("verb"), Namespace: values.Get("namespace"), Name: values.Get("name")}
	word, sub, _ := strings.Cut(values.Get("kind"), "/")
	q.Subresource = sub
	if q.Verb == "" || word == "" || len(q.Verb)+len(word)+len(sub)+len(q.Namespace)+len(q.Name) > 512 {
		return q, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the question: it names a verb and a kind, such as verb=create&kind=releases")
	}
	for _, k := range r.Kinds {
		if strings.EqualFold(word, k.Plural) || strings.EqualFold(word, k.Singular) || strings.EqualFold(word, k.Plural+"."+k.Group) {
			q.Group, q.Resource = k.Group, k.Plural
			if !k.Namespaced {
				q.Namespace = ""
			}
			return q, nil
		}
	}
	group, known := extra[word]
	if !known {
		return q, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the question: there is no kind %q", identity.Shown(word, 64)).
			WithNext("See GET /api/v1/kinds for the words.")
	}
	q.Group, q.Resource = group, word
	return q, nil
}

// may asks the hub.
func (r *Register) may(ctx context.Context, person identity.Person, q rights.Question) (bool, string, error) {
	review, err := r.Reviews.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: person.ID, Groups: append(append([]string{}, person.Groups...), "system:authenticated"),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: q.Verb, Group: q.Group, Version: "*", Resource: q.Resource, Subresource: q.Subresource, Namespace: q.Namespace, Name: q.Name,
		},
	}}, metav1.CreateOptions{})
	if err != nil {
		return false, "", httpapi.NewProblem(httpapi.CodeUnavailable, "the hub does not say who may").Because(fmt.Errorf("could not review access: %w", err))
	}
	return review.Status.Allowed, review.Status.Reason, nil
}

// mayPeople says whether somebody may read a person.
func (r *Register) mayPeople(ctx context.Context, person identity.Person, verb, name string) (bool, error) {
	allowed, _, err := r.may(ctx, person, rights.Question{Verb: verb, Group: "identity.fairway.cloud", Resource: "people", Name: name})
	return allowed, err
}
