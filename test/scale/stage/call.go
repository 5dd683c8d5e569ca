// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/cli"
)

// Trying repeats until something succeeds, for a few minutes.
func (f *Fairway) Trying(what string, do func() error) error {
	told := time.Now()
	for end := told.Add(5 * time.Minute); ; {
		err := do()
		switch {
		case err == nil:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("could not %s: %w", what, err)
		case time.Since(told) > 10*time.Second:
			f.Say("%s: %v", what, err)
			told = time.Now()
		}
		select {
		case <-f.t.Context().Done():
			return f.t.Context().Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Post calls the API, and again while something passes by itself.
func (f *Fairway) Post(path string, body any, into any) error {
	for try := 0; ; try++ {
		answer, err := f.API.Do(f.t.Context(), cli.Request{Method: http.MethodPost, Path: path, Body: body})
		if err == nil && into != nil {
			return answer.Decode(into)
		}
		var refused *cli.Failure
		if err == nil || !errors.As(err, &refused) || refused.Exit != cli.ExitUnavailable || try == 3 {
			return err
		}
		select {
		case <-f.t.Context().Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// BodyOf is an object as people send it: without a status.
func BodyOf(o client.Object) (map[string]any, error) {
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	body := map[string]any{}
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, err
	}
	delete(body, "status")
	unstructured.RemoveNestedField(body, "metadata", "creationTimestamp")
	return body, nil
}

// Make creates an object that describes the bank; policies of a hub that was set up a
// moment ago begin to work by and by.
func (f *Fairway) Make(o client.Object) {
	f.t.Helper()
	Must(f.t, f.Trying("describe "+o.GetName(), func() error {
		if err := f.Own.Create(f.t.Context(), o); !apierrors.IsAlreadyExists(err) {
			return err
		}
		return nil
	}))
}
