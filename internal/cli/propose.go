// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// Proposal is what needs a second person.
type Proposal struct {
	// Reason why, and Ticket of the bank's process.
	Reason string `json:"reason"`
	Ticket string `json:"ticket,omitempty"`
	// Objects as they are to be, and what is to be deleted.
	Objects []Object `json:"objects,omitempty"`
	Delete  []Target `json:"delete,omitempty"`
}

// Target names what is to be deleted.
type Target struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Proposed is what came of a Proposal.
type Proposed struct {
	// Amendments that were made. None: everything is so already.
	Amendments []struct {
		Name, Digest string
		Changes      []string
	}
	// Next says who does what now.
	Next string
}

// Send proposes.
func (p Proposal) Send(ctx context.Context, c *Client) (Proposed, Answer, error) {
	made := Proposed{}
	answer, err := c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/identity/propose", Body: p})
	if err != nil {
		return made, answer, err
	}
	return made, answer, answer.Decode(&made)
}

// Tell says what was proposed.
func (p Proposed) Tell(w io.Writer) error {
	for _, a := range p.Amendments {
		if _, err := fmt.Fprintf(w, "amendment %s proposed (%s)\n", Plain(a.Name), Plain(a.Digest)); err != nil {
			return err
		}
		for _, line := range a.Changes {
			if _, err := fmt.Fprintln(w, "  "+Plain(line)); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintln(w, "next: "+Plain(p.Next))
	return err
}

// needsTwo says that a refusal wants a second person.
const needsTwo = "approval-pending"

// propose makes an amendment of what could not be applied by one person alone. It ends
// the command as waiting: nothing of it is written yet.
func (a Apply) propose(ctx context.Context, c *Client, waiting []Document) error {
	if len(waiting) == 0 {
		return nil
	}
	if a.DryRun {
		for _, d := range waiting {
			if _, err := fmt.Fprintf(a.Progress, "%s needs a second person (server dry run)\n", d.Kind.FullName(NameOf(d.Object))); err != nil {
				return err
			}
		}
		return nil
	}
	p := Proposal{Reason: a.Reason, Ticket: a.Ticket}
	if p.Reason == "" {
		p.Reason = "applied from files"
	}
	for _, d := range waiting {
		p.Objects = append(p.Objects, d.Object)
	}
	made, _, err := p.Send(ctx, c)
	if err != nil || len(made.Amendments) == 0 {
		return err
	}
	if err := made.Tell(a.Progress); err != nil {
		return err
	}
	return &Failure{Exit: ExitPending, Cause: fmt.Sprintf("%d of these objects are written once another person has agreed", len(waiting)), Next: made.Next, Code: needsTwo}
}
