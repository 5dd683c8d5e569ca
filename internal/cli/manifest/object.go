// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairway-cloud/fairway/internal/cli/apiclient"
)

// Object is a document of which it is clear what it is.
type Object struct {
	// Where it was read.
	Where string
	// Kind of the object.
	Kind apiclient.Kind
	// Namespace, where its kind has one.
	Namespace string
	// Name of the object.
	Name string
	// Object as written, its namespace filled in.
	Object map[string]any
}

// String names the object as the command line does: application/mobile-bank.
func (o Object) String() string { return o.Kind.Singular + "/" + o.Name }

// Resolve finds the kind of each document, fills the namespace in and orders the
// objects: what others need comes first. Default: namespace given where a document
// names none. All that is wrong is told at once.
func Resolve(documents []Document, kinds []apiclient.Kind, namespace string) ([]Object, error) {
	var objects []Object
	var problems []error
	seen := map[string]string{}
	for _, d := range documents {
		o, err := resolve(d, kinds, namespace)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", d.Where, err))
			continue
		}
		key := o.Kind.Schema() + "/" + o.Namespace + "/" + o.Name
		if first, twice := seen[key]; twice {
			problems = append(problems, fmt.Errorf("%s: %s is there twice, first in %s", d.Where, o, first))
			continue
		}
		seen[key] = d.Where
		objects = append(objects, o)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	slices.SortStableFunc(objects, func(a, b Object) int { return cmp.Compare(rank(a.Kind), rank(b.Kind)) })
	return objects, nil
}

func resolve(d Document, kinds []apiclient.Kind, namespace string) (Object, error) {
	apiVersion, _ := d.Object["apiVersion"].(string)
	kindName, _ := d.Object["kind"].(string)
	if apiVersion == "" || kindName == "" {
		return Object{}, errors.New("apiVersion and kind are needed")
	}
	i := slices.IndexFunc(kinds, func(k apiclient.Kind) bool { return k.Kind == kindName && k.APIVersion() == apiVersion })
	if i < 0 {
		for _, k := range kinds {
			if k.Kind == kindName {
				return Object{}, fmt.Errorf("there is no %s in %q: write apiVersion: %s", kindName, apiVersion, k.APIVersion())
			}
		}
		return Object{}, fmt.Errorf("the server knows no kind %q; \"fairway explain\" lists those that it knows", kindName)
	}
	o := Object{Where: d.Where, Kind: kinds[i], Object: d.Object}
	if o.Kind.Written != "People" {
		return o, fmt.Errorf("a %s is made by Fairway, not by hand", kindName)
	}
	meta, _ := d.Object["metadata"].(map[string]any)
	o.Name, _ = meta["name"].(string)
	if o.Name == "" {
		return o, errors.New("metadata.name is needed")
	}
	written, _ := meta["namespace"].(string)
	switch {
	case !o.Kind.Namespaced && written != "":
		return o, fmt.Errorf("metadata.namespace must be left out: a %s belongs to no namespace", kindName)
	case !o.Kind.Namespaced:
	case written == "" && namespace == "":
		return o, errors.New("metadata.namespace is needed, as <tenant>-<environment>; or give it with -n")
	case written != "" && namespace != "" && written != namespace:
		return o, fmt.Errorf("metadata.namespace is %q and -n says %q: leave one of them out", written, namespace)
	default:
		o.Namespace = cmp.Or(written, namespace)
		meta["namespace"] = o.Namespace
	}
	return o, nil
}

// order is what needs what, as far as we know the kinds. New kinds fall in by scope and room.
var order = []string{"Environment", "SecurityLevel", "AvailabilityClass", "DataCenter", "NetworkZone", "Tenant", "Cluster", "Pool", "DCN"}

// rooms of namespaced kinds, the ones that others build on first.
var rooms = []string{"app", "placement"}

func rank(k apiclient.Kind) int {
	const unknown = 100
	if !k.Namespaced {
		if i := slices.Index(order, k.Kind); i >= 0 {
			return i
		}
		return unknown
	}
	if i := slices.Index(rooms, k.Room); i >= 0 {
		return unknown + 1 + i
	}
	if k.Room == "release" {
		return 3 * unknown // acts on all that came before
	}
	return 2 * unknown
}

// Names lists the objects for a sentence.
func Names(objects []Object) string {
	names := make([]string, 0, len(objects))
	for _, o := range objects {
		names = append(names, o.String())
	}
	return strings.Join(names, ", ")
}
