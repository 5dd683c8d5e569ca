// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package manifest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/cli/apiclient"
)

// mostFile bounds a file; an object of ours is far smaller.
const mostFile = 16 << 20

// Document is one object of a file.
type Document struct {
	// Where it was read: file, and the number of the document where there are several.
	Where string
	// Object as written.
	Object map[string]any
}

// sandboxGroup is what a sandbox's topology file says of itself; it is no object of the hub.
const sandboxGroup = "sandbox.fairway.cloud/"

// Read reads files and folders; "-" is in. Folders are read whole with deep, else
// only their own files. Skipped are files that are no objects of the hub. All
// that is wrong is told at once.
func Read(paths []string, deep bool, in io.Reader) (documents []Document, skipped []string, err error) {
	var problems []error
	for _, path := range paths {
		if path == "-" {
			raw, err := io.ReadAll(io.LimitReader(in, mostFile+1))
			found, left, err2 := parse("standard input", raw)
			problems = append(problems, err, err2)
			documents, skipped = append(documents, found...), append(skipped, left...)
			continue
		}
		files, err := filesOf(path, deep)
		problems = append(problems, err)
		for _, file := range files {
			raw, err := readFile(file)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			found, left, err := parse(file, raw)
			problems = append(problems, err)
			documents, skipped = append(documents, found...), append(skipped, left...)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, nil, err
	}
	if len(documents) == 0 {
		return nil, skipped, fmt.Errorf("could not find an object in %s: give a YAML or JSON file, a folder of them, or - for standard input", strings.Join(paths, ", "))
	}
	return documents, skipped, nil
}

func filesOf(path string, deep bool) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("could not read %q: %w", path, errors.Unwrap(err))
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && file != path && !deep:
			return filepath.SkipDir
		case !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(file)):
			files = append(files, file)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("could not read folder %q: %w", path, err)
	}
	if len(files) == 0 && !deep {
		return nil, fmt.Errorf("could not find a YAML or JSON file in %q itself; -R reads the folders below as well", path)
	}
	return files, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("could not read %q: %w", path, errors.Unwrap(err))
	}
	defer file.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(file, mostFile+1))
	if err != nil {
		return nil, fmt.Errorf("could not read %q: %w", path, err)
	}
	return raw, nil
}

func parse(file string, raw []byte) (documents []Document, skipped []string, err error) {
	if len(raw) > mostFile {
		return nil, nil, fmt.Errorf("could not read %q: it is longer than %d MiB", file, mostFile>>20)
	}
	reader := yamlutil.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	var problems []error
	for number := 1; ; number++ {
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		where := file
		if number > 1 {
			where = fmt.Sprintf("%s (document %d)", file, number)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: could not read the document: %w", where, err))
			break
		}
		found, skip, err := document(where, part)
		switch {
		case err != nil:
			problems = append(problems, err)
		case skip:
			skipped = append(skipped, where)
		default:
			documents = append(documents, found...)
		}
	}
	return documents, skipped, errors.Join(problems...)
}

// document reads one YAML document. Duplicate names are refused. A list is
// taken apart.
func document(where string, raw []byte) (found []Document, skip bool, err error) {
	asJSON, err := yaml.YAMLToJSONStrict(raw)
	if err != nil {
		return nil, false, fmt.Errorf("%s: could not read the document: %s", where, strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " "))
	}
	if string(bytes.TrimSpace(asJSON)) == "null" {
		return nil, false, nil // only comments
	}
	object, err := apiclient.Decode(asJSON)
	if err != nil {
		return nil, false, fmt.Errorf("%s: could not read the document: it is no object", where)
	}
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	if strings.HasPrefix(apiVersion, sandboxGroup) {
		return nil, true, nil
	}
	items, isList := object["items"].([]any)
	if !isList || !strings.HasSuffix(kind, "List") {
		return []Document{{Where: where, Object: object}}, false, nil
	}
	for i, item := range items {
		o, ok := item.(map[string]any)
		if !ok {
			return nil, false, fmt.Errorf("%s: items[%d] is no object", where, i)
		}
		found = append(found, Document{Where: fmt.Sprintf("%s items[%d]", where, i), Object: o})
	}
	return found, false, nil
}
