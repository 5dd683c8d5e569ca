// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FromStatus turns the hub's answer into a problem. subject is what was asked
// for, such as `application "pay" in "retail-prod"`.
func FromStatus(code int, body []byte, subject string) *Problem {
	status := metav1.Status{}
	if err := json.Unmarshal(body, &status); err != nil || status.Kind != "Status" {
		status = metav1.Status{Message: http.StatusText(code)}
	}
	status.Code = int32(code) //nolint:gosec // an HTTP status fits
	return FromAPIStatus(status, subject)
}

// FromAPIStatus is FromStatus for a status that was decoded already.
func FromAPIStatus(status metav1.Status, subject string) *Problem {
	code := int(status.Code)
	reason := status.Reason
	if reason == "" {
		reason = reasonOfCode(code)
	}
	message := plain(status.Message)
	if strings.Contains(message, "failed to create typed patch object") {
		return untyped(message, subject) // a 500 of the API server that is the client's mistake
	}
	switch reason {
	case metav1.StatusReasonNotFound:
		if status.Details != nil && status.Details.Kind == "namespaces" {
			return NewProblem(CodeNotFound, "could not make %s: there is no namespace %q", subject, status.Details.Name).
				WithNext("Make the tenant and the environment first; namespaces <tenant>-<environment> follow within seconds.")
		}
		return missing(subject)
	case metav1.StatusReasonUnauthorized:
		return NewProblem(CodeUnavailable, "the hub does not accept the server's own credential").
			WithNext("Whoever runs Fairway renews the server's credential for the hub.")
	case metav1.StatusReasonForbidden:
		if strings.Contains(status.Message, needsTwo) {
			return NewProblem(CodeApprovalPending, "could not change %s: %s", subject, message).
				WithNext("Propose it: fairway identity propose -f FILE --reason WHY. Another security administrator or an audit administrator agrees: fairway identity agree NAME.")
		}
		if admission.MatchString(status.Message) {
			// A rule refused, not a missing role: the rule's own words say what to do.
			return NewProblem(CodeDenied, "could not change %s: %s", subject, message).WithNext("Do what the message says first, then try again.")
		}
		return NewProblem(CodeDenied, "could not change %s: %s", subject, message)
	case metav1.StatusReasonAlreadyExists:
		return NewProblem(CodeAlreadyExists, "could not make %s: it exists already", subject)
	case metav1.StatusReasonConflict:
		return conflict(status, subject)
	case metav1.StatusReasonInvalid:
		return NewProblem(CodeInvalid, "could not accept %s: %s", subject, firstLines(message)).WithCauses(causes(status)...)
	case metav1.StatusReasonBadRequest:
		return badRequest(message, subject)
	case metav1.StatusReasonRequestEntityTooLarge:
		return NewProblem(CodeTooLarge, "could not accept %s: it is larger than the hub stores", subject)
	case metav1.StatusReasonTooManyRequests:
		return NewProblem(CodeTooManyRequests, "the hub is busy")
	case metav1.StatusReasonTimeout, metav1.StatusReasonServerTimeout:
		return NewProblem(CodeTimeout, "the hub took too long over %s", subject)
	case metav1.StatusReasonExpired, metav1.StatusReasonGone:
		return NewProblem(CodeGone, "the list position is too old")
	case metav1.StatusReasonMethodNotAllowed:
		return NewProblem(CodeMethodNotAllowed, "the hub does not do this to %s", subject)
	case metav1.StatusReasonServiceUnavailable:
		return NewProblem(CodeUnavailable, "the hub is not available: %s", message)
	case metav1.StatusReasonUnsupportedMediaType, metav1.StatusReasonNotAcceptable:
		return NewProblem(CodeUnsupportedMedia, "the hub does not understand the body: %s", message)
	}
	if code >= 400 && code < 500 {
		return NewProblem(CodeBadRequest, "the hub refused %s: %s", subject, message)
	}
	return NewProblem(CodeUnavailable, "the hub could not answer for %s: %s", subject, message)
}

// missing is the one answer for what is not there and for what may not be seen.
func missing(subject string) *Problem {
	return NewProblem(CodeNotFound, "could not find %s", subject)
}

// Missing is the one answer for what is not there and for what the person may not see.
func Missing(subject string) *Problem { return missing(subject) }

func conflict(status metav1.Status, subject string) *Problem {
	p := NewProblem(CodeConflict, "could not change %s: %s", subject, firstLines(plain(status.Message))).WithCauses(causes(status)...)
	for _, c := range p.Causes {
		if c.Reason == string(metav1.CauseTypeFieldManagerConflict) {
			return p.WithNext("Another manager set these fields. Leave them out, or take them over with force=true.")
		}
	}
	return p
}

func causes(status metav1.Status) []Cause {
	if status.Details == nil {
		return nil
	}
	found := make([]Cause, 0, len(status.Details.Causes))
	for _, c := range status.Details.Causes {
		found = append(found, Cause{Field: c.Field, Reason: string(c.Type), Message: c.Message})
	}
	return found
}

var unknownField = regexp.MustCompile(`(unknown|duplicate) field "([^"]+)"`)

// badRequest finds the fields that strict decoding refused.
func badRequest(message, subject string) *Problem {
	matches := unknownField.FindAllStringSubmatch(message, -1)
	if len(matches) == 0 {
		return NewProblem(CodeBadRequest, "could not read %s: %s", subject, firstLines(message))
	}
	p := NewProblem(CodeInvalid, "could not accept %s: %s field %q", subject, matches[0][1], matches[0][2]).
		WithNext("Correct or remove the fields named in causes. \"fairway explain\" lists the fields of a kind.")
	for _, m := range matches {
		text := "no such field; see fairway explain"
		reason := "FieldUnknown"
		if m[1] == "duplicate" {
			text, reason = "the field is given twice", "FieldDuplicate"
		}
		p.Causes = append(p.Causes, Cause{Field: m[2], Reason: reason, Message: text})
	}
	return p
}

// typed matches what server-side apply says of a field that does not fit the schema.
var typed = regexp.MustCompile(`\.([A-Za-z][^\s:]*|[A-Za-z][^:]*\]): (field not declared in schema|expected [^\n]*|[^\n]*duplicate[^\n]*)`)

// untyped finds the fields that server-side apply could not fit into the schema.
func untyped(message, subject string) *Problem {
	p := NewProblem(CodeInvalid, "could not accept %s: it does not fit the schema", subject).
		WithNext("Correct or remove the fields named in causes. \"fairway explain\" lists the fields of a kind.")
	for _, m := range typed.FindAllStringSubmatch(message, -1) {
		cause := Cause{Field: m[1], Reason: "FieldValueInvalid", Message: m[2]}
		if m[2] == "field not declared in schema" {
			cause.Reason, cause.Message = "FieldUnknown", "no such field; see fairway explain"
		}
		p.Causes = append(p.Causes, cause)
	}
	if p.Causes == nil {
		p.Causes = []Cause{{Reason: "FieldValueInvalid", Message: firstLines(message)}}
	}
	return p
}

func reasonOfCode(code int) metav1.StatusReason {
	switch code {
	case http.StatusNotFound:
		return metav1.StatusReasonNotFound
	case http.StatusForbidden:
		return metav1.StatusReasonForbidden
	case http.StatusUnauthorized:
		return metav1.StatusReasonUnauthorized
	case http.StatusConflict:
		return metav1.StatusReasonConflict
	case http.StatusUnprocessableEntity:
		return metav1.StatusReasonInvalid
	case http.StatusBadRequest:
		return metav1.StatusReasonBadRequest
	case http.StatusTooManyRequests:
		return metav1.StatusReasonTooManyRequests
	case http.StatusServiceUnavailable:
		return metav1.StatusReasonServiceUnavailable
	case http.StatusGatewayTimeout:
		return metav1.StatusReasonTimeout
	}
	return metav1.StatusReasonUnknown
}

// needsTwo is the admission policy that wants a second person (config/admission/identity.yaml).
const needsTwo = "ValidatingAdmissionPolicy 'fairway-identity-two'"

// admission matches the words with which the API server introduces a refusal of an admission policy.
var admission = regexp.MustCompile(`^.*ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request: `)

// plain takes the API server's wrapping off a message.
func plain(message string) string {
	return strings.TrimSpace(admission.ReplaceAllString(message, ""))
}

// firstLines keeps a message to a size that fits a terminal.
func firstLines(message string) string {
	const most = 1024
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > most {
		return strings.ToValidUTF8(message[:most], "") + " …"
	}
	return message
}
