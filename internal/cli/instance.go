// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Instance is one instance, found by its seat.
type Instance struct {
	// Namespace, Application and Seat name it.
	Namespace, Application, Seat string
	// Row is what the list says of it.
	Row Object
}

// Path of the instance's card.
func (i Instance) Path() string {
	return "/api/v1/delivery/instances/" + url.PathEscape(i.Namespace) + "/" + url.PathEscape(i.Application) + "/" + url.PathEscape(i.Seat)
}

// FindInstance finds the one instance on a seat. Namespace and application may be
// left out where that names one instance only.
func (c *Client) FindInstance(ctx context.Context, namespace, application, seat string) (Instance, error) {
	if seat == "" || strings.ContainsAny(seat+application, ",=!") {
		return Instance{}, Usage("could not read seat %q of application %q: a seat looks like account-1", seat, application)
	}
	kinds, err := c.Kinds(ctx)
	if err != nil {
		return Instance{}, err
	}
	kind, err := kinds.Find("instances")
	if err != nil {
		return Instance{}, err
	}
	selector := "seat=" + seat
	if application != "" {
		selector += ",application=" + application
	}
	rows, err := c.List(ctx, kind, Selection{Namespace: namespace, FieldSelector: selector})
	if err != nil {
		return Instance{}, err
	}
	if len(rows) == 0 {
		where := ""
		if application != "" {
			where += fmt.Sprintf(" of %q", application)
		}
		if namespace != "" {
			where += fmt.Sprintf(" in %q", namespace)
		}
		return Instance{}, &Failure{Exit: ExitNotFound, Cause: fmt.Sprintf("could not find instance %q%s", seat, where), Next: "list what there is with: fairway get instances -A"}
	}
	var owners []string
	for _, row := range rows {
		if owner := fmt.Sprintf("-n %s --app %s", str(row["namespace"]), str(row["application"])); !slices.Contains(owners, owner) {
			owners = append(owners, owner)
		}
	}
	if len(owners) > 1 {
		return Instance{}, &Failure{Exit: ExitUsage, Cause: fmt.Sprintf("could not choose instance %q: several applications have that seat", seat),
			Next: "choose one: " + strings.Join(owners, ", or ")}
	}
	row := rows[0]
	return Instance{Namespace: str(row["namespace"]), Application: str(row["application"]), Seat: str(row["seat"]), Row: row}, nil
}
