// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package notify

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
	"time"
	"unicode"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
)

//go:embed templates/*.txt
var files embed.FS

// Language of a notice.
type Language string

// The languages.
const (
	Chinese Language = "zh"
	English Language = "en"
)

var templates = map[Language]*template.Template{
	Chinese: template.Must(template.New("zh").ParseFS(files, "templates/zh.txt")),
	English: template.Must(template.New("en").ParseFS(files, "templates/en.txt")),
}

// facts are what templates are filled with.
type facts struct {
	Kind                                      Kind
	Namespace, Name, Act, Environment, Tenant string
	Application, Requester, ChangeClass, Risk string
	Ticket, Reason, DecideBy, Part, Message   string
	Instances, Clusters                       int32
	Summary                                   []string
}

func factsOf(r *approvalv1.ApprovalRequest, n Notice, zone *time.Location) facts {
	s := &r.Spec
	f := facts{
		Kind: n.Kind, Namespace: r.Namespace, Name: r.Name, Act: line(s.Act), Environment: line(s.Scope.Environment), Tenant: line(s.Scope.Tenant),
		Application: line(s.Scope.Application), Requester: line(s.Requester), ChangeClass: line(string(s.ChangeClass)), Risk: line(string(s.Risk)),
		Ticket: line(s.Ticket), Reason: line(s.Reason), DecideBy: s.DecideBy.In(zone).Format("2006-01-02 15:04 -07:00"), Part: line(n.Part), Message: line(n.Message),
		Instances: s.BlastRadius.Instances, Clusters: s.BlastRadius.Clusters,
	}
	for i, text := range s.Summary {
		if i == mostSummary {
			f.Summary = append(f.Summary, "…")
			break
		}
		f.Summary = append(f.Summary, line(text))
	}
	return f
}

// mostSummary lines of a request go into a notice.
const mostSummary = 20

// line makes what people wrote one line that shows as what it is.
func line(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text))
}

// words of a notice in a language.
func words(language Language, f facts) (subject, text string, err error) {
	set, ok := templates[language]
	if !ok {
		return "", "", fmt.Errorf("could not write a notice in %q: the languages are zh and en", string(language))
	}
	var parts [2]strings.Builder
	for i, part := range []string{"subject", "text"} {
		if err := set.ExecuteTemplate(&parts[i], string(f.Kind)+"."+part, f); err != nil {
			return "", "", fmt.Errorf("could not write a notice: %w", err)
		}
	}
	return line(parts[0].String()), strings.TrimSpace(parts[1].String()) + "\n", nil
}
