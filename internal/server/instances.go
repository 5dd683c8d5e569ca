// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/readmodel"
)

// Instances is the read model that handlers ask. readmodel.Store implements it.
type Instances interface {
	List(ctx context.Context, q readmodel.Query) (readmodel.Page, error)
	Find(ctx context.Context, namespace, application, seat string) (delivery.Instance, bool, error)
	Namespaces(ctx context.Context) ([]string, error)
	LastSeen(ctx context.Context, cluster string) (time.Time, error)
}

// instanceKind is listed with the kinds, so that clients show instances like the rest.
var instanceKind = httpapi.Kind{
	Room: "delivery", Group: "delivery.fairway.cloud", Version: "v1alpha1", Kind: "Instance", Plural: "instances", Singular: "instance",
	ShortNames: []string{"inst"}, Namespaced: true, Written: httpapi.Fairway,
	Columns: []httpapi.Column{
		{Name: "Seat", Type: "string", JSONPath: ".seat"},
		{Name: "IP", Type: "string", JSONPath: ".ip"},
		{Name: "DCN", Type: "string", JSONPath: ".dcn"},
		{Name: "Data centre", Type: "string", JSONPath: ".dataCenter"},
		{Name: "Zone", Type: "string", JSONPath: ".zone"},
		{Name: "Rack", Type: "string", JSONPath: ".rack"},
		{Name: "Host", Type: "string", JSONPath: ".host"},
		{Name: "Cluster", Type: "string", JSONPath: ".cluster"},
		{Name: "Revision", Type: "string", JSONPath: ".revision"},
		{Name: "State", Type: "string", JSONPath: ".state"},
		{Name: "Restarts", Type: "integer", JSONPath: ".restarts"},
		{Name: "Age", Type: "date", JSONPath: ".createdAt"},
		{Name: "Application", Type: "string", JSONPath: ".application", Priority: 1},
		{Name: "Component", Type: "string", JSONPath: ".component", Priority: 1},
		{Name: "Pool", Type: "string", JSONPath: ".pool", Priority: 1},
		{Name: "Simulated", Type: "boolean", JSONPath: ".simulated", Priority: 1},
	},
}

const instancesPath = "/api/v1/delivery/instances"

func (s *Server) instanceRoutes() []httpapi.Route {
	var query []httpapi.Parameter
	for _, f := range readmodel.Fields() {
		query = append(query, httpapi.Parameter{Name: f, Text: "Only instances with this " + f + "."})
	}
	query = append(query, listDoc(httpapi.Kind{})...)
	one := instancesPath + "/{namespace}/{application}/{seat}"
	routes := []httpapi.Route{
		{Method: http.MethodGet, Pattern: instancesPath, Verb: "list", Handler: s.listInstances,
			Doc: httpapi.Doc{Summary: "Lists instances by seat, across all clusters.", Query: query, Response: "delivery.InstanceList"}},
		{Method: http.MethodGet, Pattern: one, Verb: "get", Handler: s.getInstance,
			Doc: httpapi.Doc{Summary: "Shows the card of one instance: image, ports, mounts, conditions, events.", Response: "delivery.InstanceCard"}},
		{Method: http.MethodGet, Pattern: one + "/logs", Verb: "logs", Streams: true, Handler: s.logs,
			Doc: httpapi.Doc{Summary: "Streams the log of one instance from its cluster.", Query: logsDoc, Media: "text/plain"}},
	}
	for i := range routes {
		routes[i].Room, routes[i].Kind, routes[i].Effect = "delivery", "Instance", httpapi.Reads
	}
	return routes
}

func instanceQuestion(verb, namespace, subresource string) Question {
	return Question{Verb: verb, Group: instanceKind.Group, Resource: instanceKind.Plural, Subresource: subresource, Namespace: namespace}
}

func (s *Server) listInstances(w http.ResponseWriter, r *http.Request) error {
	asked, q, err := s.instanceQuery(r.Context(), who(r), r.URL.Query())
	if err != nil {
		return err
	}
	found, err := s.instances.List(r.Context(), asked)
	var field readmodel.ErrField
	if errors.As(err, &field) {
		return badQuery(field.Field, "%v", field)
	}
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not list instances now").Because(err)
	}
	meta := map[string]any{}
	if found.Next != nil {
		meta["continue"] = position{Bound: q.bound, Values: found.Next, Key: "-"}.String()
		meta["remainingItemCount"] = found.Remaining
	}
	items := make([]listed, 0, len(found.Instances))
	for _, i := range found.Instances {
		items = append(items, listedOf(i))
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{
		"apiVersion": instanceKind.APIVersion(), "kind": "InstanceList", "metadata": meta, "items": items,
	})
}

// instanceQuery turns the parameters into a question to the read model, narrowed
// to what the person may list.
func (s *Server) instanceQuery(ctx context.Context, person identity.Person, values url.Values) (readmodel.Query, query, error) {
	asked := readmodel.Query{Equal: map[string]string{}, Differ: map[string]string{}}
	// The position has as many values as the read model's order, whatever the sort.
	after := values.Get("continue")
	rest := url.Values{}
	for name, v := range values {
		if name != "continue" {
			rest[name] = v
		}
	}
	q, err := parseQuery(rest, readmodel.Fields()...)
	if err != nil {
		return asked, q, err
	}
	if !q.labels.Empty() {
		return asked, q, badQuery("labelSelector", "instances have no labels here; filter by their fields")
	}
	if after != "" {
		if asked.After, err = instancePosition(after, q.bound); err != nil {
			return asked, q, err
		}
	}
	asked.Limit = q.limit
	for _, name := range readmodel.Fields() {
		if v := values.Get(name); v != "" {
			asked.Equal[name] = v
		}
	}
	for _, term := range q.fields {
		into := asked.Equal
		if !term.equal {
			into = asked.Differ
		}
		into[strings.Join(term.path, ".")] = term.wanted
	}
	for _, key := range q.sort {
		asked.Sort = append(asked.Sort, readmodel.Order{Field: strings.Join(key.path, "."), Down: key.down})
	}
	asked.Namespaces, err = s.instanceNamespaces(ctx, person, asked.Equal["namespace"])
	return asked, q, err
}

// instancePosition reads a position whose number of values the read model checks.
func instancePosition(text, bound string) ([]any, error) {
	for keys := 1; keys <= 32; keys++ {
		p, err := readPosition(text, bound, keys)
		if err == nil {
			return wholeNumbers(p.Values), nil
		}
		if keys == 32 {
			return nil, err
		}
	}
	return nil, nil
}

// wholeNumbers undoes what JSON makes of integers.
func wholeNumbers(values []any) []any {
	for i, v := range values {
		if f, ok := v.(float64); ok {
			values[i] = int64(f)
		}
	}
	return values
}

// instanceNamespaces is where the person may list instances; nil means everywhere.
func (s *Server) instanceNamespaces(ctx context.Context, person identity.Person, namespace string) ([]string, error) {
	sees, err := scopeOf(ctx, s.authority, person, instanceQuestion("list", "", ""))
	if err != nil {
		return nil, err
	}
	if sees.all {
		return nil, nil
	}
	candidates := []string{namespace}
	if namespace == "" {
		if candidates, err = s.instances.Namespaces(ctx); err != nil {
			return nil, httpapi.NewProblem(httpapi.CodeUnavailable, "could not list instances now").Because(err)
		}
	}
	allowed := []string{}
	for _, n := range candidates {
		shown, err := sees.sees(n)
		if err != nil {
			return nil, err
		}
		if shown {
			allowed = append(allowed, n)
		}
	}
	return allowed, nil
}

// sitting finds who sits on the seat that the path names, if the person may
// know. What may not be seen answers as what is not there.
func (s *Server) sitting(r *http.Request, verb, subresource string) (delivery.Instance, error) {
	namespace, application, seat := r.PathValue("namespace"), r.PathValue("application"), r.PathValue("seat")
	subject := `instance "` + seat + `" of "` + application + `" in "` + namespace + `"`
	allowed, err := s.authority.May(r.Context(), who(r), instanceQuestion(verb, namespace, subresource))
	if err != nil {
		return delivery.Instance{}, err
	}
	if !allowed {
		return delivery.Instance{}, httpapi.Missing(subject)
	}
	found, ok, err := s.instances.Find(r.Context(), namespace, application, seat)
	if err != nil {
		return found, httpapi.NewProblem(httpapi.CodeUnavailable, "could not find instances now").Because(err)
	}
	if !ok {
		return found, httpapi.Missing(subject)
	}
	return found, nil
}

func (s *Server) getInstance(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	found, err := s.sitting(r, "get", "")
	if err != nil {
		return err
	}
	card := newCard(found)
	if card.LastSeen, err = s.instances.LastSeen(r.Context(), found.Cluster); err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not find instances now").Because(err)
	}
	s.fill(r.Context(), &card)
	return httpapi.WriteJSON(w, http.StatusOK, card)
}

// listed is an instance as a list shows it: exactly the fields that the API promises.
type listed struct {
	Seat        string    `json:"seat"`
	Namespace   string    `json:"namespace"`
	Application string    `json:"application"`
	Component   string    `json:"component"`
	IP          string    `json:"ip"`
	DCN         string    `json:"dcn"`
	DataCenter  string    `json:"dataCenter"`
	Zone        string    `json:"zone"`
	Rack        string    `json:"rack"`
	Host        string    `json:"host"`
	Cluster     string    `json:"cluster"`
	Pool        string    `json:"pool"`
	Revision    string    `json:"revision"`
	State       string    `json:"state"`
	Restarts    int32     `json:"restarts"`
	CreatedAt   time.Time `json:"createdAt"`
	Simulated   bool      `json:"simulated"`
}

func listedOf(i delivery.Instance) listed {
	return listed{
		Seat: i.Seat, Namespace: i.Namespace, Application: i.Application, Component: i.Component, IP: i.IP, DCN: i.DCN,
		DataCenter: i.DataCenter, Zone: i.Zone, Rack: i.Rack, Host: i.Host, Cluster: i.Cluster, Pool: i.Pool, Revision: i.Revision,
		State: i.State, Restarts: i.Restarts, CreatedAt: i.CreatedAt, Simulated: i.Simulated,
	}
}
