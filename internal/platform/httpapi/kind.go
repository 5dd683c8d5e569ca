// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// GroupSuffix ends the API groups that are ours.
const GroupSuffix = ".fairway.cloud"

// Column is one column of a table of objects.
type Column struct {
	// Name is the heading.
	Name string `json:"name"`
	// Type is string, integer, number, boolean or date.
	Type string `json:"type"`
	// JSONPath finds the value in the object.
	JSONPath string `json:"jsonPath"`
	// Priority 0 is always shown, others only in wide tables.
	Priority int32 `json:"priority,omitempty"`
	// Description says what the column means.
	Description string `json:"description,omitempty"`
}

// Kind is one kind that the API serves.
type Kind struct {
	// Room is the word of the architecture, such as "app".
	Room string `json:"room"`
	// Group, Version and Kind as in apiVersion and kind.
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
	// Plural is the word in the path, such as "applications".
	Plural string `json:"plural"`
	// Singular is the word in sentences and on the command line.
	Singular string `json:"singular"`
	// ShortNames are other words for the command line.
	ShortNames []string `json:"shortNames,omitempty"`
	// Namespaced says whether objects live in namespaces.
	Namespaced bool `json:"namespaced"`
	// Written says who writes objects of the kind: People, or Fairway.
	Written Writer `json:"written"`
	// Columns of its tables.
	Columns []Column `json:"columns"`

	// Large says that objects are too large to keep all of them in memory: they are
	// listed from the hub itself.
	Large bool `json:"-"`
	// Schema is the OpenAPI schema of its objects, as in the definition.
	Schema *apiextensionsv1.JSONSchemaProps `json:"-"`
}

// Writer says who makes objects of a kind.
type Writer string

const (
	// People make, change and delete objects through this API.
	People Writer = "People"
	// Fairway makes the objects; people read them.
	Fairway Writer = "Fairway"
)

// GVR returns the kind's resource.
func (k Kind) GVR() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: k.Group, Version: k.Version, Resource: k.Plural}
}

// GVK returns the kind.
func (k Kind) GVK() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind}
}

// APIVersion returns the kind's apiVersion.
func (k Kind) APIVersion() string { return k.Group + "/" + k.Version }

// SchemaName is the name of the kind's schema in the OpenAPI document.
func (k Kind) SchemaName() string { return k.Room + "." + k.Kind }

// madeByFairway are the kinds that nobody makes by hand: frozen decisions and
// what controllers hand to each other.
var madeByFairway = []string{"Revision", "Placement", "Delivery", "Rendering", "ApprovalRequest"}

// large are kinds whose objects hold whole rendered manifests.
var large = []string{"Rendering"}

// Kinds reads the kinds from the definitions under "crd/" of the file system,
// ordered by room and kind.
func Kinds(crds fs.FS) ([]Kind, error) {
	files, err := fs.Glob(crds, "crd/*.yaml")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("could not find the definitions of the kinds: %w", cmp.Or(err, fs.ErrNotExist))
	}
	var kinds []Kind
	for _, file := range files {
		raw, err := fs.ReadFile(crds, file)
		if err != nil {
			return nil, fmt.Errorf("could not read definition %q: %w", file, err)
		}
		crd := apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(raw, &crd); err != nil {
			return nil, fmt.Errorf("could not read definition %q: %w", file, err)
		}
		kind, err := kindOf(crd)
		if err != nil {
			return nil, fmt.Errorf("could not use definition %q: %w", file, err)
		}
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(a.Kind, b.Kind))
	})
	return kinds, nil
}

func kindOf(crd apiextensionsv1.CustomResourceDefinition) (Kind, error) {
	room, ours := strings.CutSuffix(crd.Spec.Group, GroupSuffix)
	if !ours {
		return Kind{}, fmt.Errorf("group %q is not one of ours", crd.Spec.Group)
	}
	for _, v := range crd.Spec.Versions {
		if !v.Served || !v.Storage || v.Schema == nil || v.Schema.OpenAPIV3Schema == nil {
			continue
		}
		names := crd.Spec.Names
		k := Kind{
			Room: room, Group: crd.Spec.Group, Version: v.Name, Kind: names.Kind,
			Plural: names.Plural, Singular: cmp.Or(names.Singular, strings.ToLower(names.Kind)), ShortNames: names.ShortNames,
			Namespaced: crd.Spec.Scope == apiextensionsv1.NamespaceScoped,
			Written:    People,
			Large:      slices.Contains(large, names.Kind),
			Schema:     v.Schema.OpenAPIV3Schema,
		}
		if slices.Contains(madeByFairway, k.Kind) {
			k.Written = Fairway
		}
		for _, c := range v.AdditionalPrinterColumns {
			k.Columns = append(k.Columns, Column{Name: c.Name, Type: c.Type, JSONPath: c.JSONPath, Priority: c.Priority, Description: c.Description})
		}
		return k, nil
	}
	return Kind{}, fmt.Errorf("no version of %q is served and stored with a schema", crd.Name)
}
