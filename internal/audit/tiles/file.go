// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tiles

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// writer collects files and writes them together.
type writer struct {
	dir     string
	names   []string
	content [][]byte
	folders map[string]bool
}

func (w *writer) put(name string, content []byte) {
	w.names, w.content = append(w.names, name), append(w.content, content)
}

// flush writes each file under another name, syncs and renames it, and then syncs
// the folders.
func (w *writer) flush() error {
	for i, name := range w.names {
		path := filepath.Join(w.dir, name)
		made, err := makeFolders(filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, folder := range made {
			w.folders[folder] = true
		}
		if err := replace(path, w.content[i]); err != nil {
			return err
		}
		w.folders[filepath.Dir(path)] = true
	}
	for _, folder := range slices.Sorted(maps.Keys(w.folders)) {
		if err := SyncFolder(folder); err != nil {
			return err
		}
	}
	return nil
}

// makeFolders makes a folder with those above and returns the folders that got a
// new name in them.
func makeFolders(dir string) (changed []string, err error) {
	if _, err := os.Stat(dir); err == nil {
		return nil, nil
	}
	above := filepath.Dir(dir)
	if changed, err = makeFolders(above); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	return append(changed, above), nil
}

// temporary ends the names of files that are being written.
const temporary = ".new"

func replace(path string, content []byte) error {
	file, err := os.OpenFile(path+temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(path+temporary, path)
	}
	if err != nil {
		// Half a file would take the room that others need.
		return errors.Join(err, os.Remove(path+temporary))
	}
	return nil
}

// WriteFile puts content in place of a file at once and durably, with those
// folders above it that are missing.
func WriteFile(path string, content []byte) error {
	w := &writer{dir: filepath.Dir(path), folders: map[string]bool{}}
	w.put(filepath.Base(path), content)
	if err := w.flush(); err != nil {
		return fmt.Errorf("could not write %q: %w", path, err)
	}
	return nil
}

// SyncFolder makes the names in a folder durable.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
