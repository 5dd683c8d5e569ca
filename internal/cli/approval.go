// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Inbox is what GET /api/v1/approval/inbox answers.
type Inbox struct {
	Items []Approval `json:"items"`
	// More counts what was left out.
	More int `json:"more"`
}

// Approval is one approval request as the API shows it.
type Approval struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Act       string `json:"act"`
	Subject   struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"subject"`
	Requester string   `json:"requester"`
	Makers    []string `json:"makers,omitempty"`
	Scope     struct {
		Application      string   `json:"application,omitempty"`
		Environment      string   `json:"environment"`
		EnvironmentClass string   `json:"environmentClass"`
		Clusters         []string `json:"clusters,omitempty"`
	} `json:"scope"`
	ChangeClass string `json:"changeClass"`
	Risk        string `json:"risk"`
	Reason      string `json:"reason,omitempty"`
	Ticket      string `json:"ticket,omitempty"`
	Digest      string `json:"digest"`
	Policy      string `json:"policy"`
	BlastRadius struct {
		Instances  int      `json:"instances"`
		Clusters   int      `json:"clusters"`
		Components []string `json:"components,omitempty"`
	} `json:"blastRadius"`
	CreatedAt string `json:"createdAt"`
	DecideBy  string `json:"decideBy"`
	State     string `json:"state"`
	Message   string `json:"message"`
	Next      string `json:"next,omitempty"`
	Parties   []struct {
		Stage  string   `json:"stage"`
		Party  string   `json:"party"`
		Needed int      `json:"needed"`
		Agreed []string `json:"agreed,omitempty"`
		Open   string   `json:"open"`
	} `json:"parties,omitempty"`
	May         []string `json:"may"`
	Summary     []string `json:"summary,omitempty"`
	Changes     []string `json:"changes,omitempty"`
	Attachments []struct {
		Kind      string `json:"kind"`
		Title     string `json:"title,omitempty"`
		Reference string `json:"reference"`
		Digest    string `json:"digest,omitempty"`
	} `json:"attachments,omitempty"`
	Decisions []struct {
		Author     string `json:"author"`
		OnBehalfOf string `json:"onBehalfOf,omitempty"`
		Verdict    string `json:"verdict"`
		Comment    string `json:"comment,omitempty"`
		At         string `json:"at"`
		Counts     string `json:"counts"`
		Why        string `json:"why,omitempty"`
	} `json:"decisions,omitempty"`
	Owed []string `json:"owed,omitempty"`
}

// ShowInbox shows a list of requests.
func ShowInbox(w io.Writer, inbox Inbox, output Output) error {
	switch output {
	case JSON:
		return writeJSON(w, inbox)
	case YAML:
		return writeYAML(w, inbox)
	case Table:
	default:
		return Usage("could not show as %q: -o takes json or yaml", output)
	}
	if len(inbox.Items) == 0 {
		_, err := fmt.Fprintln(w, "nothing here")
		return err
	}
	rows := [][]string{{"NAMESPACE", "REQUEST", "ACT", "APPLICATION", "REQUESTER", "CLASS", "TOUCHES", "STATE", "YOU MAY", "STILL OWED"}}
	for _, i := range inbox.Items {
		rows = append(rows, []string{
			i.Namespace, i.Name, i.Act, i.Scope.Application, i.Requester, i.ChangeClass,
			fmt.Sprintf("%d in %d", i.BlastRadius.Instances, i.BlastRadius.Clusters), i.State, strings.Join(i.May, ","), strings.Join(i.Owed, ", "),
		})
	}
	if err := WriteTable(w, rows); err != nil {
		return err
	}
	if inbox.More > 0 {
		_, err := fmt.Fprintf(w, "and %d more\n", inbox.More)
		return err
	}
	return nil
}

// ShowRequest shows one request in plain words.
func ShowRequest(w io.Writer, i Approval, output Output) error {
	switch output {
	case JSON:
		return writeJSON(w, i)
	case YAML:
		return writeYAML(w, i)
	case Table:
	default:
		return Usage("could not show as %q: -o takes json or yaml", output)
	}
	b := &bytes.Buffer{}
	line := func(name, format string, args ...any) {
		if text := Plain(fmt.Sprintf(format, args...)); text != "" {
			_, _ = fmt.Fprintf(b, "%-13s %s\n", name+":", text)
		}
	}
	line("Request", "%s in %s", i.Name, i.Namespace)
	line("Asks for", "%s of %s %s, %s (%s)", i.Act, i.Subject.Kind, i.Subject.Name, i.Scope.Environment, i.Scope.EnvironmentClass)
	line("State", "%s: %s", i.State, i.Message)
	line("Waits for", "%s", i.Next)
	line("Requester", "%s", i.Requester)
	line("Makers", "%s", strings.Join(i.Makers, ", "))
	line("Change", "%s, risk %s, policy %s", i.ChangeClass, i.Risk, i.Policy)
	line("Reason", "%s", i.Reason)
	line("Ticket", "%s", i.Ticket)
	line("Touches", "%d instances in %d clusters; components %s", i.BlastRadius.Instances, i.BlastRadius.Clusters, strings.Join(i.BlastRadius.Components, ", "))
	line("Plan", "%s", i.Digest)
	line("Decide by", "%s", i.DecideBy)
	block := func(name string, lines []string) {
		if len(lines) == 0 {
			return
		}
		_, _ = fmt.Fprintf(b, "%s:\n", name)
		for _, l := range lines {
			_, _ = fmt.Fprintf(b, "  %s\n", Plain(l))
		}
	}
	block("What will happen", i.Summary)
	block("What differs", i.Changes)
	var parties, papers, said []string
	for _, p := range i.Parties {
		state := "waits"
		if len(p.Agreed) >= p.Needed {
			state = "complete"
		} else if p.Open != "True" {
			state = "later"
		}
		parties = append(parties, fmt.Sprintf("%s / %s: %d of %d (%s) %s", p.Stage, p.Party, len(p.Agreed), p.Needed, state, strings.Join(p.Agreed, ", ")))
	}
	for _, a := range i.Attachments {
		papers = append(papers, strings.TrimSpace(fmt.Sprintf("%s: %s %s %s", a.Kind, a.Reference, a.Title, a.Digest)))
	}
	for _, d := range i.Decisions {
		text := fmt.Sprintf("%s %s %s", d.At, d.Author, d.Verdict)
		if d.OnBehalfOf != "" {
			text += " for " + d.OnBehalfOf
		}
		if d.Comment != "" {
			text += ": " + d.Comment
		}
		if d.Counts != "True" {
			text += " (does not count: " + d.Why + ")"
		}
		said = append(said, text)
	}
	block("Attachments", papers)
	block("Parties", parties)
	block("Decisions", said)
	block("Still owed", i.Owed)
	line("You may", "%s", strings.Join(i.May, ", "))
	_, err := w.Write(b.Bytes())
	return err
}
