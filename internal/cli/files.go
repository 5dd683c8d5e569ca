// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	yamlreader "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// mostFile is the most bytes of one file.
const mostFile = 4 << 20

// Document is one object of a file.
type Document struct {
	// Where says where it stands, "file.yaml, document 2".
	Where  string
	Kind   Kind
	Object Object
}

// ReadDocuments reads files, folders (their .yaml, .yml and .json files; with
// deep those below too) and "-" for standard input. Everything is read and
// checked before anything is sent. Objects that belong to no namespace come
// first, since namespaces are made from them.
func ReadDocuments(paths []string, deep bool, stdin io.Reader, kinds Kinds, namespace string) ([]Document, error) {
	var documents []Document
	for _, path := range paths {
		found, err := readPath(path, deep, stdin, kinds, namespace)
		if err != nil {
			return nil, err
		}
		documents = append(documents, found...)
	}
	if len(documents) == 0 {
		return nil, Usage("could not find any object in %s", strings.Join(paths, ", "))
	}
	slices.SortStableFunc(documents, func(a, b Document) int { return rank(a) - rank(b) })
	return documents, nil
}

// order of kinds that others refer to. What is not named comes after these.
var order = []string{"DataCenter", "NetworkZone", "SecurityLevel", "AvailabilityClass", "Environment", "Tenant", "Cluster", "Pool", "DCN"}

func rank(d Document) int {
	if d.Kind.Namespaced {
		return len(order) + 1
	}
	if i := slices.Index(order, d.Kind.Kind); i >= 0 {
		return i
	}
	return len(order)
}

func readPath(path string, deep bool, stdin io.Reader, kinds Kinds, namespace string) ([]Document, error) {
	if path == "-" {
		return readFile("standard input", stdin, kinds, namespace)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, Usage("could not read %q: %v", path, errors.Unwrap(err))
	}
	if !info.IsDir() {
		return openFile(path, kinds, namespace)
	}
	var documents []Document
	err = filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if at != path && !deep {
				return fs.SkipDir
			}
			return nil
		}
		switch filepath.Ext(at) {
		case ".yaml", ".yml", ".json":
		default:
			return nil
		}
		found, err := openFile(at, kinds, namespace)
		documents = append(documents, found...)
		return err
	})
	return documents, err
}

func openFile(path string, kinds Kinds, namespace string) ([]Document, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, Usage("could not read %q: %v", path, err)
	}
	defer file.Close() //nolint:errcheck // only read
	return readFile(path, file, kinds, namespace)
}

func readFile(name string, from io.Reader, kinds Kinds, namespace string) ([]Document, error) {
	raw, err := io.ReadAll(io.LimitReader(from, mostFile+1))
	if err != nil {
		return nil, Usage("could not read %q: %v", name, err)
	}
	if len(raw) > mostFile {
		return nil, Usage("could not read %q: it is larger than %d MiB", name, mostFile>>20)
	}
	reader := yamlreader.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	var documents []Document
	for n := 1; ; n++ {
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, invalidFile(fmt.Sprintf("%s, document %d", name, n), "%v", err)
		}
		where := fmt.Sprintf("%s, document %d", name, n)
		document, err := parseDocument(where, part, kinds, namespace)
		if err != nil {
			return nil, err
		}
		if document.Object != nil {
			documents = append(documents, document)
		}
	}
}

func invalidFile(where, format string, args ...any) *Failure {
	return &Failure{Exit: ExitInvalid, Cause: fmt.Sprintf("could not read %s: %s", where, fmt.Sprintf(format, args...))}
}

func parseDocument(where string, part []byte, kinds Kinds, namespace string) (Document, error) {
	raw, err := yaml.YAMLToJSONStrict(part)
	if err != nil {
		return Document{}, invalidFile(where, "%v", err)
	}
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return Document{}, nil // a document of comments
	}
	o := Object{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&o); err != nil {
		return Document{}, invalidFile(where, "it is no object")
	}
	meta, _ := o["metadata"].(map[string]any)
	if str(o["apiVersion"]) == "" || str(o["kind"]) == "" || str(meta["name"]) == "" {
		return Document{}, invalidFile(where, "apiVersion, kind and metadata.name are needed")
	}
	kind, ok := kinds.Of(str(o["apiVersion"]), str(o["kind"]))
	if !ok {
		return Document{}, invalidFile(where, "the server knows no %s of %s", str(o["kind"]), str(o["apiVersion"]))
	}
	if kind.Namespaced && str(meta["namespace"]) == "" {
		if namespace == "" {
			return Document{}, invalidFile(where, "%s %q says no namespace; write metadata.namespace or give -n", kind.Singular, str(meta["name"]))
		}
		meta["namespace"] = namespace
	}
	return Document{Where: where, Kind: kind, Object: o}, nil
}
