// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/platform/members/memberstest"
	"github.com/fairway-cloud/fairway/internal/server"
)

func instancesOf(t *testing.T, a answer) []string {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	list := []string{}
	for _, item := range a.object(t)["items"].([]any) {
		list = append(list, item.(map[string]any)["namespace"].(string)+"/"+item.(map[string]any)["seat"].(string))
	}
	return list
}

func TestInstanceFieldsAreThePromisedOnes(t *testing.T) {
	s := newSite(t)
	if err := s.store.Upsert(t.Context(), "east-1", seat("retail-prod", "pay", "account", "1", "east-1")); err != nil {
		t.Fatal(err)
	}
	item := s.do(http.MethodGet, "/api/v1/delivery/instances", adminToken, "").object(t)["items"].([]any)[0].(map[string]any)
	want := []string{"application", "cluster", "component", "createdAt", "dataCenter", "dcn", "host", "ip", "namespace", "pool", "rack", "restarts", "revision", "seat", "simulated", "state", "zone"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(item))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestInstancesArePagedFilteredAndScoped(t *testing.T) {
	s := newSite(t)
	mine := hub.Namespace(t)
	allowIn(t, mine)
	var all []delivery.Instance
	for n := range 5 {
		all = append(all, seat(mine, "pay", "account", fmt.Sprint(n), "east-1"), seat("foreign-prod", "pay", "account", fmt.Sprint(n), "east-1"))
	}
	if err := s.store.Replace(t.Context(), "east-1", all); err != nil {
		t.Fatal(err)
	}
	if got := instancesOf(t, s.do(http.MethodGet, "/api/v1/delivery/instances", adminToken, "")); len(got) != 10 {
		t.Errorf("the administrator sees all, got %v", got)
	}
	if got := instancesOf(t, s.do(http.MethodGet, "/api/v1/delivery/instances", tellerToken, "")); len(got) != 5 || !strings.HasPrefix(got[0], mine+"/") {
		t.Errorf("the teller sees his own, got %v", got)
	}
	if got := instancesOf(t, s.do(http.MethodGet, "/api/v1/delivery/instances?namespace=foreign-prod", tellerToken, "")); len(got) != 0 {
		t.Errorf("naming a foreign namespace opens nothing, got %v", got)
	}
	var walked []string
	next := ""
	for range 5 {
		page := s.do(http.MethodGet, "/api/v1/delivery/instances?limit=2&sort=-seat&namespace="+mine+next, adminToken, "")
		walked = append(walked, instancesOf(t, page)...)
		token, _ := page.object(t)["metadata"].(map[string]any)["continue"].(string)
		if token == "" {
			break
		}
		next = "&continue=" + token
	}
	var want []string
	for n := 4; n >= 0; n-- {
		want = append(want, fmt.Sprintf("%s/account-%d", mine, n))
	}
	if diff := cmp.Diff(want, walked); diff != "" {
		t.Errorf("pages in order:\n%s", diff)
	}
	for _, query := range []string{"?colour=red", "?sort=colour", "?fieldSelector=uid=x", "?labelSelector=a", "?continue=xx", "?limit=0", "?limit=2" + next + "&sort=ip"} {
		if got := s.do(http.MethodGet, "/api/v1/delivery/instances"+query, adminToken, ""); got.status != http.StatusBadRequest {
			t.Errorf("%s: want 400, got %d %s", query, got.status, got.body)
		}
	}
}

func TestCard(t *testing.T) {
	source := memberstest.New(t)
	s := newSite(t, func(c *server.Config) { c.Members = source })
	source.Add("east-1", hub.Config())
	namespace := hub.Namespace(t)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "pay-account-x", Labels: map[string]string{"app.kubernetes.io/managed-by": "fairway"}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "account", Image: "registry/account:1", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
				VolumeMounts: []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}}}},
			Volumes: []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		},
	}
	if err := hub.Client().Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	event := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "e"}, Reason: "Started", Message: "began", Type: "Normal",
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: pod.Name, UID: pod.UID}, LastTimestamp: metav1.Now()}
	if err := hub.Client().Create(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	sitting := seat("retail-prod", "pay", "account", "1", "east-1")
	sitting.UID, sitting.Pod, sitting.PodNamespace = string(pod.UID), pod.Name, namespace
	if err := s.store.Upsert(t.Context(), "east-1", sitting); err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/delivery/instances/retail-prod/pay/account-1"
	card := s.do(http.MethodGet, path, adminToken, "").object(t)
	if diff := cmp.Diff([]any{map[string]any{"name": "http", "port": 8080.0, "protocol": "TCP"}}, card["ports"]); diff != "" {
		t.Errorf("ports:\n%s", diff)
	}
	if !strings.Contains(fmt.Sprint(card["mounts"]), "/tmp") || !strings.Contains(fmt.Sprint(card["events"]), "began") || card["note"] != nil {
		t.Errorf("the card shows mounts and events: %v", card)
	}
	if got := s.do(http.MethodGet, path, tellerToken, ""); got.status != http.StatusNotFound {
		t.Errorf("a foreign instance is not found: %d %s", got.status, got.body)
	}
	if got := s.do(http.MethodGet, path+"/logs", tellerToken, ""); got.status != http.StatusNotFound {
		t.Errorf("nor is its log: %d %s", got.status, got.body)
	}
	// The pod runs nowhere: its log cannot be read, and the answer says so.
	if got := s.do(http.MethodGet, path+"/logs", adminToken, ""); got.status < 400 || got.status == 500 || got.code(t) == "" {
		t.Errorf("a pod without a host has no log: %d %s", got.status, got.body)
	}
	for _, query := range []string{"?tail=-1", "?tail=x", "?since=tomorrow", "?follow=maybe", "?container=x"} {
		if got := s.do(http.MethodGet, path+"/logs"+query, adminToken, ""); got.status != http.StatusBadRequest {
			t.Errorf("%s: want 400, got %d", query, got.status)
		}
	}
	// Another pod took the name: nothing of it is shown under this seat (abuse case 6).
	other := sitting
	other.UID = "somebody-else"
	if err := s.store.Replace(t.Context(), "east-1", []delivery.Instance{other}); err != nil {
		t.Fatal(err)
	}
	if got := s.do(http.MethodGet, path, adminToken, "").object(t); len(got["ports"].([]any)) != 0 || got["note"] == nil {
		t.Errorf("another pod of that name must not be shown: %v", got)
	}
	if got := s.do(http.MethodGet, path+"/logs", adminToken, ""); got.status != http.StatusConflict {
		t.Errorf("nor its log: %d %s", got.status, got.body)
	}
	source.Cut("east-1")
	if got := s.do(http.MethodGet, path, adminToken, ""); got.status != http.StatusOK || !strings.Contains(string(got.body), "not connected") {
		t.Errorf("a member that is away leaves what was last seen: %d %s", got.status, got.body)
	}
	if got := s.do(http.MethodGet, path+"/logs", adminToken, ""); got.status != http.StatusServiceUnavailable || got.code(t) != "cluster-not-connected" {
		t.Errorf("its log has to wait: %d %s", got.status, got.body)
	}
}

// stream opens an event stream and hands over its lines.
func (s *site) stream(path, token string) (<-chan string, func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s", response.Status)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		defer response.Body.Close()
		in := bufio.NewScanner(response.Body)
		for in.Scan() {
			lines <- in.Text()
		}
	}()
	return lines, cancel
}

func nextChanges(t *testing.T, lines <-chan string) []server.Change {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case line, open := <-lines:
			if !open {
				t.Fatal("the stream ended")
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				message := struct{ Changes []server.Change }{}
				if err := json.Unmarshal([]byte(data), &message); err != nil {
					t.Fatal(err)
				}
				return message.Changes
			}
		case <-timeout:
			t.Fatal("nothing was told")
		}
	}
}

func TestEventsTellWhatOneMaySee(t *testing.T) {
	s := newSite(t)
	mine := hub.Namespace(t)
	allowIn(t, mine)
	lines, stop := s.stream("/api/v1/events", tellerToken)
	defer stop()
	if first := <-lines; first != ": fairway" {
		t.Fatalf("the stream begins at once, got %q", first)
	}
	for range 3 {
		s.changes.Publish(server.Change{Room: "app", Kind: "Application", Namespace: mine, Name: "pay"})
	}
	s.changes.Publish(server.Change{Room: "app", Kind: "Application", Namespace: "foreign-prod", Name: "loan"})
	s.changes.Publish(server.Change{Room: "fleet", Kind: "Cluster", Name: "east-1"})
	if diff := cmp.Diff([]server.Change{{Room: "app", Kind: "Application", Namespace: mine, Name: "pay"}}, nextChanges(t, lines)); diff != "" {
		t.Errorf("once, and only what one may see:\n%s", diff)
	}
	began := time.Now()
	s.changes.Publish(server.Change{Room: "app", Kind: "Application", Namespace: mine, Name: "pay"})
	nextChanges(t, lines)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("a change is told within seconds, took %s", took)
	}
	for n := range 1000 {
		s.changes.Publish(server.Change{Room: "app", Kind: "Application", Namespace: mine, Name: fmt.Sprint("a-", n)})
	}
	if diff := cmp.Diff([]server.Change{{Room: "app", Kind: "Application", Namespace: mine}}, nextChanges(t, lines)[:1]); diff != "" {
		t.Errorf("many changes are told in bulk:\n%s", diff)
	}
}

// A right that is taken away ends the stream within seconds.
func TestEventsEndWithTheCredential(t *testing.T) {
	s := newSite(t)
	lines, stop := s.stream("/api/v1/events?kinds=app.Application", adminToken)
	defer stop()
	<-lines
	s.people.revoke(adminToken)
	timeout := time.After(8 * time.Second)
	for {
		select {
		case _, open := <-lines:
			if !open {
				return
			}
		case <-timeout:
			t.Fatal("the stream goes on without a credential")
		}
	}
}

func TestEventsRefuse(t *testing.T) {
	s := newSite(t)
	if got := s.do(http.MethodGet, "/api/v1/events?kinds=app.Elephant", adminToken, ""); got.status != http.StatusBadRequest {
		t.Errorf("an unknown kind: %d %s", got.status, got.body)
	}
	if got := s.do(http.MethodGet, "/api/v1/events", adminToken, "", "Origin", "https://evil.example"); got.status != http.StatusForbidden {
		t.Errorf("another origin: %d %s", got.status, got.body)
	}
}
