// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package profile

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
)

// Rule is a TagRule, read.
type Rule struct {
	Name, Tag, Query string
	// Below gives the tag while the value is low; otherwise while it is high.
	Below bool
	// Enter and Leave are where the tag comes and goes.
	Enter, Leave float64
	// Hold is how long the value has to be past them.
	Hold time.Duration
	// Interval between two queries, and StaleAfter from which on a tag is stale.
	Interval, StaleAfter time.Duration
	Generation           int64
}

// RuleOf reads a TagRule. The error says what a person corrects.
func RuleOf(r *placementv1.TagRule) (Rule, error) {
	enter, err := strconv.ParseFloat(string(r.Spec.Enter), 64)
	if err != nil {
		return Rule{}, fmt.Errorf("could not read enter %q: write a number, such as 0.8", r.Spec.Enter)
	}
	leave, err := strconv.ParseFloat(cmp.Or(string(r.Spec.Leave), string(r.Spec.Enter)), 64)
	if err != nil {
		return Rule{}, fmt.Errorf("could not read leave %q: write a number, such as 0.6", r.Spec.Leave)
	}
	if _, err := Fill(r.Spec.Query, Names{}); err != nil {
		return Rule{}, err
	}
	length := func(d *metav1.Duration, otherwise, least time.Duration) time.Duration {
		if d == nil {
			return otherwise
		}
		return max(d.Duration, least)
	}
	return Rule{
		Name: r.Name, Tag: r.Spec.Tag, Query: r.Spec.Query, Below: r.Spec.When == placementv1.TagWhenBelow, Enter: enter, Leave: leave,
		Hold: length(r.Spec.Hold, 10*time.Minute, 0), Interval: length(r.Spec.Interval, time.Minute, 15*time.Second),
		StaleAfter: length(r.Spec.StaleAfter, 24*time.Hour, time.Minute), Generation: r.Generation,
	}, nil
}

// Names are what the words of a query stand for.
type Names struct{ Tenant, Environment, Application, Component string }

var (
	word  = regexp.MustCompile(`\$[A-Za-z_][A-Za-z0-9_]*`)
	words = []string{"$tenant", "$environment", "$application", "$component", "$namespace", "$pods"}
)

// Fill puts names into a query. A word that nobody knows is an error.
func Fill(query string, n Names) (string, error) {
	values := []string{
		n.Tenant, n.Environment, n.Application, n.Component, app.MemberNamespace(n.Tenant, n.Environment, n.Application),
		// As app.WorkloadName names workloads: the digest keeps component web from web-admin.
		n.Application + "-" + n.Component + "-[0-9a-f]{8}-.+",
	}
	var unknown string
	filled := word.ReplaceAllStringFunc(query, func(w string) string {
		if i := slices.Index(words, w); i >= 0 {
			return values[i]
		}
		unknown = cmp.Or(unknown, w)
		return w
	})
	if unknown != "" {
		return "", fmt.Errorf("could not use the query: it has the word %q; the words are %s", unknown, strings.Join(words, ", "))
	}
	return filled, nil
}
