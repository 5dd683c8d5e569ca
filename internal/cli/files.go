// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// mostFile is the most bytes of one file.
const mostFile = 4 << 20

// source is one file to read, or standard input.
type source struct {
	name string
	from io.Reader
}

func (s source) content() ([]byte, error) {
	from := s.from
	if from == nil {
		file, err := os.Open(filepath.Clean(s.name))
		if err != nil {
			return nil, plainCause(err)
		}
		defer file.Close() //nolint:errcheck // only read
		from = file
	}
	raw, err := io.ReadAll(io.LimitReader(from, mostFile+1))
	if err != nil {
		return nil, plainCause(err)
	}
	if len(raw) > mostFile {
		return nil, fmt.Errorf("it is larger than %d MiB", mostFile>>20)
	}
	return raw, nil
}

// plainCause takes off the path, which is said already.
func plainCause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// files are the files that the paths mean: of folders their .yaml, .yml and .json
// files, in the order of their names.
func (r *Reading) files() []source {
	var found []source
	for _, path := range r.Paths {
		if path == "-" {
			found = append(found, source{name: "standard input", from: r.Stdin})
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			r.wrong(path, "could not read it: %v", plainCause(err))
			continue
		}
		if !info.IsDir() {
			found = append(found, source{name: path})
			continue
		}
		before := len(found)
		err = filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && at != path && !r.Deep:
				return fs.SkipDir
			case !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(at)):
				found = append(found, source{name: at})
			}
			return nil
		})
		if err != nil {
			r.wrong(path, "could not read the folder: %v", plainCause(err))
		} else if len(found) == before {
			r.wrong(path, "there is no .yaml, .yml or .json file in the folder; -R looks into the folders below too")
		}
	}
	return found
}
