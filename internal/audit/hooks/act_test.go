// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package hooks

import (
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestWayBack(t *testing.T) {
	tests := map[string]struct {
		reason                string
		operation             admissionv1.Operation
		kind, sub, old, fresh string
		want                  bool
	}{
		"Rollback":      {"a rollback is the way back", "CREATE", "Release", "", "", `{"kind":"Rollback"}`, true},
		"Deploy":        {"a deployment is not", "CREATE", "Release", "", "", `{"kind":"Deploy"}`, false},
		"DeployStopped": {"nor one that is made stopped", "CREATE", "Release", "", "", `{"kind":"Deploy","desired":"Stop"}`, false},
		"OtherKind":     {"other kinds may call a field so too", "CREATE", "Pool", "", "", `{"kind":"Rollback"}`, false},
		"Stop":          {"stopping is", "UPDATE", "Release", "", `{"kind":"Deploy"}`, `{"kind":"Deploy","desired":"Stop"}`, true},
		"StopAndMore":   {"but nothing else with it", "UPDATE", "Release", "", `{"kind":"Deploy"}`, `{"kind":"Deploy","desired":"Stop","revision":"x"}`, false},
		"Start":         {"going on is not", "UPDATE", "Release", "", `{"desired":"Stop"}`, `{"desired":"Run"}`, false},
		"Status":        {"a status is nobody's", "UPDATE", "Release", "status", `{}`, `{"desired":"Stop"}`, false},
		"Delete":        {"deleting is not", "DELETE", "Release", "", `{"kind":"Rollback"}`, "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			whole := func(spec string) runtime.RawExtension {
				if spec == "" {
					return runtime.RawExtension{}
				}
				return runtime.RawExtension{Raw: []byte(`{"metadata":{"name":"x"},"spec":` + spec + `}`)}
			}
			w, err := writeOf(&admissionv1.AdmissionRequest{
				Operation: test.operation, Kind: metav1.GroupVersionKind{Group: "release.fairway.cloud", Version: "v1alpha1", Kind: test.kind},
				SubResource: test.sub, Namespace: "retail-prod", Object: whole(test.fresh), OldObject: whole(test.old),
			})
			if err != nil || w.back != test.want || w.act.Subject != test.kind+"/retail-prod/x" || w.act.Environment != "prod" {
				t.Errorf("%s: %v %+v %v", test.reason, w.back, w.act, err)
			}
		})
	}
}

// A record says what was written by digests alone: no content, no status.
func TestNoContentReachesTheRecord(t *testing.T) {
	request := &admissionv1.AdmissionRequest{
		Operation: "UPDATE", Kind: metav1.GroupVersionKind{Group: "app.fairway.cloud", Version: "v1alpha1", Kind: "Application"}, Namespace: "retail-prod", Name: "pay",
		UserInfo:  authenticationv1.UserInfo{Username: "admin", Groups: append(strings.Split(strings.Repeat("g,", 50), ","), "system:masters")},
		Object:    runtime.RawExtension{Raw: []byte(`{"metadata":{"name":"pay","annotations":{"a":"CANARY-1"}},"spec":{"env":"CANARY-2"},"status":{"x":"1"}}`)},
		OldObject: runtime.RawExtension{Raw: []byte(`{"metadata":{"name":"pay"},"spec":{"env":"CANARY-3"},"status":{"x":"2"}}`)},
	}
	w, err := writeOf(request)
	if err != nil {
		t.Fatal(err)
	}
	line := w.act.Subject + w.act.Before + w.act.After + strings.Join(w.act.Details, " ") + w.act.Reason
	if strings.Contains(line, "CANARY") || len(w.act.Details[0]) > 200 {
		t.Errorf("%+v", w.act)
	}
	request.Object = runtime.RawExtension{Raw: []byte(`{"metadata":{"name":"pay"},"spec":{"env":"CANARY-3"},"status":{"x":"3"}}`)}
	if w, err = writeOf(request); err != nil || w.act.Before != w.act.After {
		t.Errorf("a status changes nothing that people write: %+v %v", w.act, err)
	}
	request.Object = runtime.RawExtension{Raw: []byte(`[1]`)}
	if _, err := writeOf(request); err == nil {
		t.Error("a list is no object")
	}
}

func TestOutcome(t *testing.T) {
	object := func(uid, version, spec string) map[string]any {
		made := "2026-11-28T00:00:00Z"
		if uid == "later" {
			made = "2026-11-28T00:00:02Z"
		}
		return map[string]any{"metadata": map[string]any{"uid": uid, "resourceVersion": version, "creationTimestamp": made}, "spec": map[string]any{"s": spec}}
	}
	of := func(spec string) string {
		d, err := digest(object("", "", spec))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	update := target{operation: "UPDATE", uid: "u", resourceVersion: "5", before: of("old"), expected: of("new")}
	create := target{operation: "CREATE", uid: "u", expected: of("new")}
	remove := target{operation: "DELETE", uid: "u", before: of("old")}
	going := object("u", "6", "old")
	going["metadata"].(map[string]any)["deletionTimestamp"] = "2026-11-28T00:00:00Z"
	tests := map[string]struct {
		target target
		now    map[string]any
		want   string
	}{
		"Updated":       {update, object("u", "6", "new"), "Done"},
		"NotUpdated":    {update, object("u", "5", "old"), "Refused"},
		"NothingNew":    {target{operation: "UPDATE", uid: "u", resourceVersion: "5", before: of("new"), expected: of("new")}, object("u", "5", "new"), "Done"},
		"UpdatedAgain":  {update, object("u", "7", "newer"), "Unknown"},
		"ChangedBack":   {update, object("u", "7", "old"), "Unknown"},
		"UpdatedGone":   {update, nil, "Unknown"},
		"Created":       {create, object("u", "1", "new"), "Done"},
		"CreatedBefore": {create, object("other", "1", "new"), "Refused"},
		"CreatedTwice":  {create, object("later", "1", "new"), "Unknown"},
		"NotCreated":    {create, nil, "Unknown"},
		"Deleted":       {remove, nil, "Done"},
		"DeletedMade":   {remove, object("other", "9", "old"), "Done"},
		"BeingDeleted":  {remove, going, "Done"},
		"NotDeleted":    {remove, object("u", "5", "old"), "Refused"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := test.target.outcome(test.now, time.Date(2026, 11, 28, 0, 0, 1, 0, time.UTC))
			if err != nil || string(got.Result) != test.want || got.Message == "" {
				t.Errorf("want %s, got %+v %v", test.want, got, err)
			}
		})
	}
}
