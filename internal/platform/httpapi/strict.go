// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Strict reads the request's body as one JSON object into a struct. What the struct
// does not know is refused. The problem repeats nothing of the body: it may hold a
// password.
func Strict(r *http.Request, into any) error {
	if media := r.Header.Get("Content-Type"); !strings.HasPrefix(strings.ToLower(media), "application/json") {
		return NewProblem(CodeUnsupportedMedia, "could not read the body: it is not application/json")
	}
	decoder := json.NewDecoder(bytes.NewReader(Body(r)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return NewProblem(CodeBadRequest, "could not read the body: it is not the JSON object that this route takes").
			WithNext("See GET /openapi.json for its fields.")
	}
	if _, err := decoder.Token(); err != io.EOF { //nolint:errorlint // a sentinel that is returned bare
		return NewProblem(CodeBadRequest, "could not read the body: something follows the JSON object")
	}
	return nil
}
