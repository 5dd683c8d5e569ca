// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	yamlreader "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Document is one object of a file.
type Document struct {
	// Where says where it stands, "file.yaml, document 2".
	Where string
	// Kind of the object.
	Kind Kind
	// Object as written; its namespace is filled in.
	Object Object
}

// sandboxGroup is what a sandbox's topology says of itself; it is no object of the hub.
const sandboxGroup = "sandbox.fairway.cloud/"

// Reading says what is read, and what it is held to.
type Reading struct {
	// Paths of files and folders; "-" is Stdin. Deep reads the folders below too.
	Paths []string
	Deep  bool
	Stdin io.Reader
	// Kinds that the server serves.
	Kinds Kinds
	// Namespace of objects that name none. Default: they are refused.
	Namespace string
	// OpenAPI is the server's description; nil checks no fields.
	OpenAPI Object

	problems []string
	skipped  []string
}

// Documents reads everything and checks it before anything is sent. What others
// build on comes first. All mistakes are told at once.
func (r *Reading) Documents() ([]Document, error) {
	var documents []Document
	for _, file := range r.files() {
		documents = append(documents, r.read(file)...)
	}
	r.twice(documents)
	if r.OpenAPI != nil {
		r.problems = append(r.problems, checkSchemas(documents, r.OpenAPI)...)
	}
	switch len(r.problems) {
	case 0:
	case 1:
		return nil, &Failure{Exit: ExitInvalid, Cause: r.problems[0], Next: "nothing was sent; correct it and try again"}
	default:
		return nil, &Failure{Exit: ExitInvalid, Cause: fmt.Sprintf("could not accept the files: %d mistakes", len(r.problems)), Details: r.problems,
			Next: "nothing was sent; correct them and try again"}
	}
	if len(documents) == 0 {
		return nil, Usage("could not find any object in %s", strings.Join(r.Paths, ", "))
	}
	slices.SortStableFunc(documents, func(a, b Document) int { return cmp.Compare(rank(a.Kind), rank(b.Kind)) })
	return documents, nil
}

// Skipped are documents that are no objects of the hub.
func (r *Reading) Skipped() []string { return r.skipped }

func (r *Reading) wrong(where, format string, args ...any) {
	r.problems = append(r.problems, where+": "+fmt.Sprintf(format, args...))
}

// order is what needs what, as far as the kinds are known here. New kinds fall
// in by scope and room.
var order = []string{"Environment", "SecurityLevel", "AvailabilityClass", "DataCenter", "NetworkZone", "Tenant", "Cluster", "Pool", "DCN"}

func rank(k Kind) int {
	const others = 100
	switch i := slices.Index(order, k.Kind); {
	case !k.Namespaced && i >= 0:
		return i
	case !k.Namespaced:
		return others
	case k.Room == "app":
		return others + 1
	case k.Room == "release":
		return others + 3 // acts on all that came before
	}
	return others + 2
}

// twice refuses an object that two documents describe.
func (r *Reading) twice(documents []Document) {
	seen := map[string]string{}
	for _, d := range documents {
		key := d.Kind.FullName(NamespaceOf(d.Object) + "/" + NameOf(d.Object))
		if first, ok := seen[key]; ok {
			r.wrong(d.Where, "%s %q is there twice, first in %s", d.Kind.Singular, NameOf(d.Object), first)
		}
		seen[key] = d.Where
	}
}

func (r *Reading) read(file source) []Document {
	raw, err := file.content()
	if err != nil {
		r.wrong(file.name, "could not read it: %v", err)
		return nil
	}
	reader := yamlreader.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	var documents []Document
	for n := 1; ; n++ {
		where := fmt.Sprintf("%s, document %d", file.name, n)
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents
		}
		if err != nil {
			r.wrong(where, "could not read it: %v", err)
			return documents
		}
		documents = append(documents, r.parse(where, part)...)
	}
}

// parse reads one document. Fields given twice are refused. A list is taken apart.
func (r *Reading) parse(where string, part []byte) []Document {
	raw, err := yaml.YAMLToJSONStrict(part)
	if err != nil {
		r.wrong(where, "could not read it: %s", strings.Join(strings.Fields(err.Error()), " "))
		return nil
	}
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return nil // a document of comments
	}
	o := Object{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&o); err != nil {
		r.wrong(where, "it is no object")
		return nil
	}
	if strings.HasPrefix(str(o["apiVersion"]), sandboxGroup) {
		r.skipped = append(r.skipped, where)
		return nil
	}
	entries, isList := o["items"].([]any)
	if !isList || !strings.HasSuffix(str(o["kind"]), "List") {
		return r.accept(where, o)
	}
	var documents []Document
	for i, entry := range entries {
		one, ok := entry.(map[string]any)
		if !ok {
			r.wrong(where, "items[%d] is no object", i)
			continue
		}
		documents = append(documents, r.accept(fmt.Sprintf("%s, items[%d]", where, i), one)...)
	}
	return documents
}

// accept finds out what an object is.
func (r *Reading) accept(where string, o Object) []Document {
	apiVersion, name := str(o["apiVersion"]), str(o["kind"])
	meta, _ := o["metadata"].(map[string]any)
	if apiVersion == "" || name == "" || str(meta["name"]) == "" {
		r.wrong(where, "apiVersion, kind and metadata.name are needed")
		return nil
	}
	kind, ok := r.Kinds.Of(apiVersion, name)
	if !ok {
		for _, k := range r.Kinds {
			if k.Kind == name {
				r.wrong(where, "the server knows no %s of %s; write apiVersion: %s/%s", name, apiVersion, k.Group, k.Version)
				return nil
			}
		}
		r.wrong(where, "the server knows no %s of %s", name, apiVersion)
		return nil
	}
	if kind.Written != "" && kind.Written != "People" {
		r.wrong(where, "a %s is made by Fairway, not by hand", kind.Singular)
		return nil
	}
	written := str(meta["namespace"])
	switch {
	case !kind.Namespaced && written != "":
		r.wrong(where, "metadata.namespace: leave it out, a %s belongs to no namespace", kind.Singular)
		return nil
	case !kind.Namespaced:
	case written == "" && r.Namespace == "":
		r.wrong(where, "%s %q says no namespace; write metadata.namespace or give -n", kind.Singular, str(meta["name"]))
		return nil
	case written == "":
		meta["namespace"] = r.Namespace
	}
	return []Document{{Where: where, Kind: kind, Object: o}}
}
