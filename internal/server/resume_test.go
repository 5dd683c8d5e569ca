// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// A stopped Release goes on, with the words of whoever let it; what is complete or
// was taken over does not, and nobody is left to believe that it did.
func TestResume(t *testing.T) {
	s := newSite(t)
	namespace := hub.Namespace(t)
	made := s.do(http.MethodPost, "/api/v1/release/releases/"+namespace, adminToken, release("pay"))
	name := made.object(t)["metadata"].(map[string]any)["name"].(string)
	at := "/api/v1/release/releases/" + namespace + "/" + name
	resume := func(body string) answer { return s.do(http.MethodPost, at+"/resume", adminToken, body) }
	refused := func(reason string, got answer, status int, says string) {
		t.Helper()
		if got.status != status || !strings.Contains(string(got.body), says) {
			t.Errorf("%s: got %d %s, wanted %d with %q", reason, got.status, got.body, status, says)
		}
	}
	refused("what goes on already", resume(""), http.StatusConflict, "it is not stopped")
	if got := s.do(http.MethodPost, at+"/stop", adminToken, ""); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	refused("unknown words", resume(`{"force":true}`), http.StatusBadRequest, "reason and ticket, and nothing else")
	refused("twice the same", resume(`{"reason":"a","reason":"b"}`), http.StatusUnprocessableEntity, "twice")
	refused("a long tale", resume(`{"reason":"`+strings.Repeat("很", 513)+`"}`), http.StatusUnprocessableEntity, "at most 512 characters")
	refused("a long ticket", resume(`{"ticket":"`+strings.Repeat("1", 65)+`"}`), http.StatusUnprocessableEntity, "at most 64 characters")

	s.recorder.reset(true)
	refused("going on is recorded, or is not", resume(""), http.StatusServiceUnavailable, "evidence-away")
	s.recorder.reset(false)
	got := resume(`{"reason":"` + strings.Repeat("很", 512) + `","ticket":"CHG-7"}`)
	if got.status != http.StatusOK || got.object(t)["spec"].(map[string]any)["desired"] != "Run" {
		t.Fatalf("it goes on: %d %s", got.status, got.body)
	}
	acts, _ := s.recorder.seen()
	if len(acts) != 1 || acts[0].Verb != "release.resume" || acts[0].Ticket != "CHG-7" || acts[0].Release != namespace+"/"+name || !strings.HasPrefix(acts[0].Reason, "很很") {
		t.Errorf("who let it go on, and why: %+v", acts)
	}
	refused("once more", resume(""), http.StatusConflict, "it is not stopped")

	// A Release that is over stays so.
	s.do(http.MethodPost, at+"/stop", adminToken, "")
	scheme := runtime.NewScheme()
	if err := releasev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(hub.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	status := func(change func(*releasev1.ReleaseStatus)) {
		t.Helper()
		r := &releasev1.Release{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, r); err != nil {
			t.Fatal(err)
		}
		before := r.DeepCopy()
		change(&r.Status)
		if err := c.Status().Patch(t.Context(), r, client.MergeFrom(before)); err != nil {
			t.Fatal(err)
		}
	}
	now := metav1.Now()
	status(func(r *releasev1.ReleaseStatus) {
		r.Conditions = []metav1.Condition{{Type: releasev1.ConditionStalled, Status: "True", Reason: releasev1.ReasonSuperseded, Message: "taken over", LastTransitionTime: now}}
	})
	refused("taken over", resume(""), http.StatusConflict, "took its application over")
	status(func(r *releasev1.ReleaseStatus) { r.CompletedAt = &now })
	refused("complete", resume(""), http.StatusConflict, "it is complete")

	there, nowhere := s.do(http.MethodPost, at+"/resume", tellerToken, ""), s.do(http.MethodPost, at+"x/resume", tellerToken, "")
	if there.status != http.StatusNotFound || nowhere.status != http.StatusNotFound {
		t.Errorf("a foreign one is as one that is not there: %d, %d", there.status, nowhere.status)
	}
}
