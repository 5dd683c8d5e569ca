// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/export"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// exportPage is how many acts are read at once.
const exportPage = 1000

// export streams the file and then the signed statement about it. That evidence
// leaves the house is evidence: without its record nothing is exported.
func (h *handlers) export(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	format := export.Format(values.Get("format"))
	if format == "" {
		format = export.CSV
	}
	if !slices.Contains(export.Formats(), string(format)) {
		return badQuery("format", "one of %s", strings.Join(export.Formats(), ", "))
	}
	q, err := asked(values, true, "format")
	if err != nil {
		return err
	}
	if h.Key == nil || h.Recorder == nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "this server exports no evidence")
	}
	if q.Scopes, err = h.scopes(r.Context(), who(r), "export", q.Equal["namespace"]); err != nil {
		return err
	}
	if q.Scopes != nil && len(q.Scopes) == 0 {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not export evidence: your roles do not allow it").
			WithNext("An audit administrator does it: verb export on %s.%s.", Resource, Group)
	}
	q.Limit = exportPage
	act := audit.Act{
		Verb: "audit.export", Person: who(r).ID, Subject: "Records/" + string(format), Class: audit.ClassSystem,
		Details: []string{inWords(values)}, Trace: httpapi.Trace(r.Context()),
	}
	end, _, err := audit.Begin(r.Context(), h.Recorder, audit.FailClosed, act)
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeEvidenceAway, "could not begin to export: the evidence log does not take the record").Because(err)
	}
	statement, err := h.send(w, r, q, format, inWords(values))
	outcome := audit.Outcome{Result: audit.Done, Message: fmt.Sprintf("%d acts, %d bytes", statement.Acts, statement.Bytes), After: statement.Digest}
	if err != nil {
		outcome = audit.Outcome{Result: audit.Failed, Message: "the export ended early"}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
	defer cancel()
	if recorded := end(ctx, outcome); recorded != nil {
		h.Logger.Error("the outcome of an export was not recorded; the next start marks it unknown", "request", act.Trace, "cause", recorded.Error())
	}
	return err
}

func (h *handlers) send(w http.ResponseWriter, r *http.Request, q index.Query, format export.Format, words string) (export.Statement, error) {
	s := export.Statement{Format: format, About: export.About{Query: words, By: who(r).ID, At: h.Now().UTC()}}
	var err error
	// The checkpoint is read first: it covers what the index has read, or less.
	if h.Checkpoint != nil {
		newest, err := h.Checkpoint(r.Context())
		if err != nil {
			return s, httpapi.NewProblem(httpapi.CodeUnavailable, "could not read the checkpoint of the evidence log").Because(err)
		}
		s.Checkpoint = string(newest)
	}
	if s.Covers, err = h.Index.Covers(r.Context()); err != nil {
		return s, away(err)
	}
	first, err := h.Index.Search(r.Context(), q) // what fails now is still a problem and not half a file
	if err != nil {
		return s, away(err)
	}
	// Streams end with their own deadlines: a reader who stops is not waited for.
	controller := http.NewResponseController(w)
	parts := multipart.NewWriter(w)
	w.Header().Set("Content-Type", "multipart/mixed; boundary="+parts.Boundary())
	w.Header().Set("Cache-Control", "no-store")
	part := func(name, media string) (*export.Sum, error) {
		header := textproto.MIMEHeader{"Content-Type": {media}, "Content-Disposition": {`attachment; filename="` + name + `"`}}
		to, err := parts.CreatePart(header)
		return export.NewSum(to), err
	}
	file, err := part("evidence."+extension(format), format.Media())
	if err != nil {
		return s, err
	}
	page, last := first, false
	s.Acts, err = export.Write(file, format, s.About, func() ([]index.Act, error) {
		_ = controller.SetWriteDeadline(h.Now().Add(time.Minute))
		if last {
			return nil, nil
		}
		acts := page.Acts
		if last = page.Next == 0; !last {
			q.After = page.Next
			var err error
			if page, err = h.Index.Search(r.Context(), q); err != nil {
				return nil, err
			}
		}
		return acts, nil
	})
	if err != nil {
		return s, err // the file is torn and has no statement: the client sees both
	}
	s.Digest, s.Bytes = file.Digest(), file.Bytes
	signed, err := s.Sign(h.Key.Signer())
	if err != nil {
		return s, err
	}
	to, err := part("evidence.statement", "text/plain; charset=utf-8")
	if err == nil {
		_, err = to.Write(signed)
	}
	return s, errors.Join(err, parts.Close())
}

func extension(format export.Format) string {
	if format == export.Report {
		return "html"
	}
	return string(format)
}

// inWords says what was asked for.
func inWords(values url.Values) string {
	var words []string
	for name, v := range values {
		if name != "format" {
			words = append(words, name+"="+v[0])
		}
	}
	slices.Sort(words)
	if len(words) == 0 {
		return "everything"
	}
	return strings.Join(words, " ")
}
