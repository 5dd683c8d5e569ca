// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrDigest says that stored bytes are not the ones that were approved. Nothing
// of the Delivery is applied until a person has found out why.
var ErrDigest = errors.New("the content is not what was approved")

// Object is one rendered object.
type Object struct {
	// Identity of the object.
	Identity Identity
	// APIVersion under which it is applied, for example "apps/v1".
	APIVersion string
	// Body is the object as JSON values. It is shared: nobody changes it.
	Body map[string]any
}

// Digest returns the digest of text, "sha256:…".
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ParseRendering returns the objects of a rendering's content, in its order. It
// fails with ErrDigest if the content does not have the digest.
func ParseRendering(content, digest string) ([]Object, error) {
	if got := Digest(content); got != digest {
		return nil, fmt.Errorf("could not use the rendering: %w: its digest is %s, approved was %s", ErrDigest, got, digest)
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(content)))
	decoder.UseNumber()
	var bodies []map[string]any
	if err := decoder.Decode(&bodies); err != nil {
		return nil, fmt.Errorf("could not read the rendering: it is not a JSON array of objects: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("could not read the rendering: something follows its JSON array")
	}
	objects := make([]Object, 0, len(bodies))
	for i, body := range bodies {
		object, err := readObject(plain(body).(map[string]any))
		if err != nil {
			return nil, fmt.Errorf("could not read object %d of the rendering: %w", i, err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

func readObject(body map[string]any) (Object, error) {
	metadata, _ := body["metadata"].(map[string]any)
	apiVersion, _ := body["apiVersion"].(string)
	kind, _ := body["kind"].(string)
	name, _ := metadata["name"].(string)
	namespace, _ := metadata["namespace"].(string)
	if apiVersion == "" || kind == "" || name == "" {
		return Object{}, errors.New("it lacks apiVersion, kind or metadata.name")
	}
	for _, field := range []string{"uid", "resourceVersion", "managedFields", "ownerReferences", "finalizers", "generateName"} {
		if _, found := metadata[field]; found {
			return Object{}, fmt.Errorf("%s %q sets metadata.%s, which a rendering may not", kind, name, field)
		}
	}
	return Object{
		Identity:   Identity{Group: groupOf(apiVersion), Kind: kind, Namespace: namespace, Name: name},
		APIVersion: apiVersion,
		Body:       body,
	}, nil
}

// plain turns the numbers of decoded JSON into int64 or float64, as Kubernetes'
// machinery wants them.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			v[key] = plain(inner)
		}
		return v
	case []any:
		for i, inner := range v {
			v[i] = plain(inner)
		}
		return v
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return whole
		}
		fraction, _ := v.Float64()
		return fraction
	default:
		return value
	}
}
