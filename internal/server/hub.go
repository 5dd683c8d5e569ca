// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Hub calls the hub's API server as the person who asks. Upstream headers are
// built anew for every call; nothing of the client's request is forwarded.
type Hub struct {
	base    *url.URL
	http    *http.Client
	flights inFlight
	// groups are the only ones that are taken to the hub. Empty: all of a person's.
	groups []string
}

// most is the most bytes that are read of the hub's answer to one call.
const mostAnswer = 64 << 20

// NewHub reaches the hub with the server's own credential, which must be allowed
// to impersonate.
func NewHub(config *rest.Config) (*Hub, error) {
	config = rest.CopyConfig(config)
	if config.Impersonate.UserName != "" {
		return nil, errors.New("could not reach the hub: the server's credential must not impersonate somebody itself")
	}
	config.Timeout = 0
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("could not reach the hub: %w", err)
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("could not reach the hub: %w", err)
	}
	return &Hub{base: base, http: client}, nil
}

// impersonate writes who acts into the headers of a call. An empty identity, what
// belongs to Kubernetes itself, and Fairway's own accounts are refused: nobody
// becomes the platform by the name that a directory gives him.
func (h *Hub) impersonate(header http.Header, person identity.Person) error {
	if person.ID == "" {
		return errors.New("could not call the hub: nobody is named as the one who acts")
	}
	if strings.HasPrefix(person.ID, "system:") || person.ID == ownAccount {
		return fmt.Errorf("could not call the hub as %q: that name belongs to the platform itself", person.ID)
	}
	header.Set("Impersonate-User", person.ID)
	for _, g := range person.Groups {
		if strings.HasPrefix(g, "system:") || slices.Contains(ownGroups, g) {
			return fmt.Errorf("could not call the hub as a member of %q: that group belongs to the platform itself", g)
		}
	}
	for _, g := range h.taken(person.Groups) {
		header.Add("Impersonate-Group", g)
	}
	if person.Session != "" {
		header["Impersonate-Extra-fairway.cloud%2fsession"] = []string{person.Session}
	}
	return nil
}

// The accounts of Fairway itself, on the hub and in members (config/rbac, config/member).
const ownAccount = "fairway"

var ownGroups = []string{"fairway:system", "fairway:hub"}

// Call is one call to the hub.
type Call struct {
	Method  string
	Path    string
	Query   url.Values
	Media   string
	Body    []byte
	Subject string
}

// Answer is what the hub said.
type Answer struct {
	Code     int
	Body     []byte
	Warnings []string
}

// Do makes the call as the person. What the hub refuses comes back as a problem.
func (h *Hub) Do(ctx context.Context, person identity.Person, call Call) (Answer, error) {
	target := *h.base
	target.Path = strings.TrimSuffix(target.Path, "/") + call.Path
	target.RawQuery = call.Query.Encode()
	var body io.Reader
	if call.Body != nil {
		body = bytes.NewReader(call.Body)
	}
	request, err := http.NewRequestWithContext(ctx, call.Method, target.String(), body)
	if err != nil {
		return Answer{}, fmt.Errorf("could not call the hub for %s: %w", call.Subject, err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "fairway-server")
	if call.Body != nil {
		request.Header.Set("Content-Type", call.Media)
	}
	if err := h.impersonate(request.Header, person); err != nil {
		return Answer{}, err
	}
	defer h.flights.mark(ctx, request.Header, call.Method, person)()
	response, err := h.http.Do(request)
	if err != nil {
		return Answer{}, unreachable(ctx, call.Subject, err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	read, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer+1))
	if err != nil {
		return Answer{}, unreachable(ctx, call.Subject, err)
	}
	if len(read) > mostAnswer {
		return Answer{}, httpapi.NewProblem(httpapi.CodeUnavailable, "the hub's answer for %s is larger than %d MiB", call.Subject, mostAnswer>>20)
	}
	answer := Answer{Code: response.StatusCode, Body: read, Warnings: response.Header.Values("Warning")}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return answer, httpapi.FromStatus(response.StatusCode, read, call.Subject)
	}
	return answer, nil
}

func unreachable(ctx context.Context, subject string, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return httpapi.NewProblem(httpapi.CodeTimeout, "the hub did not answer for %s in time", subject).Because(err)
	}
	return httpapi.NewProblem(httpapi.CodeUnavailable, "the hub does not answer").
		WithNext("What runs in the clusters goes on. Try again in a few seconds.").Because(err)
}

// Ping says whether the hub answers.
func (h *Hub) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	target := *h.base
	target.Path = strings.TrimSuffix(target.Path, "/") + "/readyz"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return err
	}
	response, err := h.http.Do(request)
	if err != nil {
		return fmt.Errorf("could not reach the hub: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the hub is not ready: it answers %d", response.StatusCode)
	}
	return nil
}

// objectPath is the path of a kind's collection or object on the hub.
func objectPath(k httpapi.Kind, namespace, name string) string {
	path := "/apis/" + k.Group + "/" + k.Version
	if k.Namespaced && namespace != "" {
		path += "/namespaces/" + url.PathEscape(namespace)
	}
	path += "/" + k.Plural
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return path
}

func decode(raw []byte) (map[string]any, error) {
	object := map[string]any{}
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	return object, nil
}
