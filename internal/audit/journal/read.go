// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ErrBroken says that the journal is damaged before its last line. Nothing is
// repaired then: a person looks at it.
var ErrBroken = errors.New("the journal is broken")

// Read calls each for every whole record and returns how many bytes they take.
// A torn last line is what a crash leaves and is no error; anything else that
// does not fit is ErrBroken.
func Read(from io.Reader, each func(Record) error) (good int64, err error) {
	in := bufio.NewReaderSize(from, 64<<10)
	last := int64(0)
	for number := 1; ; number++ {
		line, readErr := readLine(in)
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			return good, readErr
		}
		if errors.Is(readErr, io.EOF) {
			// Without its newline the line was not acknowledged to anybody.
			return good, nil
		}
		record, parseErr := parse(line)
		if parseErr == nil {
			parseErr = follows(record, last)
		}
		if parseErr != nil {
			if _, peekErr := in.Peek(1); errors.Is(peekErr, io.EOF) && !json.Valid(line) {
				return good, nil // torn, with a stray newline at its end
			}
			return good, fmt.Errorf("line %d: %w: %w", number, ErrBroken, parseErr)
		}
		if err := each(record); err != nil {
			return good, err
		}
		last = record.Sequence
		good += int64(len(line)) + 1
	}
}

// readLine returns a line without its newline; io.EOF where the newline is missing.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
			if len(line) > 2*mostLine {
				return nil, fmt.Errorf("%w: a line is longer than %d bytes", ErrBroken, 2*mostLine)
			}
		default:
			return line, err
		}
	}
}

func parse(line []byte) (Record, error) {
	record := Record{}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&record); err != nil {
		return record, err
	}
	if decoder.More() {
		return record, errors.New("something follows the record")
	}
	return record, nil
}

func follows(r Record, last int64) error {
	switch {
	case r.Sequence != last+1:
		return fmt.Errorf("number %d follows number %d", r.Sequence, last)
	case r.Kind == kindIntent && (r.Act == nil || r.Outcome != nil || r.Intent != 0):
		return errors.New("an intent needs its act and nothing else")
	case r.Kind == kindOutcome && (r.Outcome == nil || r.Act != nil || r.Intent < 1 || r.Intent >= r.Sequence):
		return errors.New("an outcome needs the number of an earlier intent")
	case r.Kind != kindIntent && r.Kind != kindOutcome:
		return fmt.Errorf("no such kind of record: %q", r.Kind)
	}
	return nil
}

// clip bounds a text and keeps it valid.
func clip(s string) string {
	if len(s) > mostText {
		s = s[:mostText] + " …"
	}
	return strings.ToValidUTF8(s, "�")
}

// syncFolder makes the file's name durable.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("could not sync the folder of %q: %w", path, err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}
