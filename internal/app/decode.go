// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
)

// decodeLimit bounds the text of an Application, in bytes: what etcd stores of an object.
const decodeLimit = 1 << 20

var documentBreak = regexp.MustCompile(`(?m)^(---|\.\.\.)([ \t\r].*)?$`)

// DecodeStrict reads one Application from YAML or JSON. Unknown fields, fields that are
// there twice, and further documents are refused, so that a mistyped field is never
// silently ignored.
func DecodeStrict(text []byte) (*appv1.Application, error) {
	if len(text) > decodeLimit {
		return nil, fmt.Errorf("could not read the application: it has %d bytes and may have %d; move large files into a volume or a configuration centre", len(text), decodeLimit)
	}
	body := bytes.TrimSpace(text)
	if at := documentBreak.FindIndex(body); at != nil && at[0] == 0 {
		body = body[at[1]:]
	}
	if documentBreak.Match(body) {
		return nil, errors.New("could not read the application: the text holds several documents; give one Application")
	}
	raw, err := yaml.YAMLToJSONStrict(body)
	if err != nil {
		return nil, fmt.Errorf("could not read the application: %w", err)
	}
	var out appv1.Application
	strict, err := kjson.UnmarshalStrict(raw, &out)
	if err != nil {
		return nil, fmt.Errorf("could not read the application: %w", err)
	}
	if len(strict) > 0 {
		return nil, fmt.Errorf("could not read the application: %w; correct or remove it", errors.Join(strict...))
	}
	if out.Kind != "Application" || out.APIVersion != appv1.GroupVersion.String() {
		return nil, fmt.Errorf("could not read the application: it is of kind %q in %q; expected Application in %q", out.Kind, out.APIVersion, appv1.GroupVersion.String())
	}
	return &out, nil
}
