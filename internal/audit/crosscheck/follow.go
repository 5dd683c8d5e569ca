// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package crosscheck

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Position is how far one file of a log has been read. A file is known again by
// how it begins, whatever it is called since: its first line holds an event's id.
type Position struct {
	// Print is the digest of the file's first bytes.
	Print string `json:"print"`
	// Name of the file when it was last read.
	Name string `json:"name"`
	// Offset of the first byte that was not read yet.
	Offset int64 `json:"offset"`
	// Size of the file when it was last read.
	Size int64 `json:"size"`
}

// printed is how many bytes make a file's print. No event is shorter.
const printed = 256

// mostAtOnce bounds how much of a log is read before others are.
const mostAtOnce = 64 << 20

// follower reads what is new in a folder of log files.
type follower struct {
	dir       string
	now       time.Time
	positions []Position
}

// unfinished is how long a line may lack its line break while its file is still
// written.
const unfinished = time.Minute

// progress says what a follower found besides lines.
type progress struct {
	// files is how many files there are.
	files int
	// more says that not everything was read.
	more bool
	// problems say what cannot be read any more, or what nobody writes so.
	problems []string
}

type logFile struct {
	name    string
	print   string
	size    int64
	changed time.Time
}

// read gives every whole new line to take, files in the order of their last
// change. A line that take does not know is a problem. A line without a line break
// is left for later.
func (f *follower) read(take func(line []byte) error) (progress, error) {
	p := progress{}
	root, err := os.OpenRoot(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		f.missing(nil, &p)
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("could not read the audit log folder %q: %w", f.dir, err)
	}
	defer root.Close() //nolint:errcheck // only read
	files, err := list(root, &p)
	if err != nil {
		return p, fmt.Errorf("could not read the audit log folder %q: %w", f.dir, err)
	}
	left := int64(mostAtOnce)
	for i, file := range files {
		n, err := f.readFile(root, file, left, i == len(files)-1 || f.now.Sub(file.changed) < unfinished, take, &p)
		if err != nil {
			return p, fmt.Errorf("could not read audit log %q: %w", file.name, err)
		}
		if left -= n; left <= 0 {
			p.more = true
			return p, nil
		}
	}
	f.missing(files, &p)
	return p, nil
}

// list returns the log's files, of those that begin alike the largest.
func list(root *os.Root, p *progress) ([]logFile, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	byPrint := map[string]logFile{}
	for _, e := range entries {
		// Hidden files are those that a tool copies to before it renames them.
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") || !strings.Contains(e.Name(), ".log") || strings.HasSuffix(e.Name(), ".gz") {
			continue
		}
		file, err := look(root, e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // renamed a moment ago: the next round finds it
		}
		if err != nil {
			return nil, err
		}
		p.files++
		if file.print != "" && file.size > byPrint[file.print].size {
			byPrint[file.print] = file
		}
	}
	var files []logFile
	for _, file := range byPrint {
		files = append(files, file)
	}
	slices.SortFunc(files, func(a, b logFile) int {
		if c := a.changed.Compare(b.changed); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	return files, nil
}

// look takes a file's print; "" while it is too short to have one.
func look(root *os.Root, name string) (logFile, error) {
	file, err := root.Open(name)
	if err != nil {
		return logFile{}, err
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return logFile{}, err
	}
	found := logFile{name: name, size: info.Size(), changed: info.ModTime()}
	head := make([]byte, printed)
	if _, err := io.ReadFull(file, head); err == nil {
		sum := sha256.Sum256(head)
		found.print = hex.EncodeToString(sum[:16])
	} else if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return logFile{}, err
	}
	return found, nil
}

func (f *follower) readFile(root *os.Root, file logFile, most int64, live bool, take func([]byte) error, p *progress) (int64, error) {
	i := slices.IndexFunc(f.positions, func(at Position) bool { return at.Print == file.print })
	if i < 0 {
		f.positions = append(f.positions, Position{Print: file.print})
		i = len(f.positions) - 1
	}
	at := &f.positions[i]
	if file.size < at.Size {
		p.problems = append(p.problems, fmt.Sprintf("%s became shorter: from %d bytes to %d", file.name, at.Size, file.size))
		at.Offset = min(at.Offset, file.size)
	}
	at.Name, at.Size = file.name, file.size
	if at.Offset >= file.size {
		return 0, nil
	}
	opened, err := root.Open(file.name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer opened.Close() //nolint:errcheck // only read
	in := newLines(io.NewSectionReader(opened, at.Offset, file.size-at.Offset))
	begun := at.Offset
	for in.taken < most {
		line, state, err := in.next()
		if err != nil {
			return in.taken, err
		}
		if state == ended {
			if len(line) > 0 && !live {
				p.problems = append(p.problems, fmt.Sprintf("%s ends within a line", file.name))
				at.Offset = file.size
				return file.size - begun, nil
			}
			break
		}
		problem := ""
		if state == tooLong {
			problem = fmt.Sprintf("%s has a line of more than %d MiB", file.name, longestLine>>20)
		} else if len(line) > 0 {
			if err := take(line); errors.Is(err, ErrNoEvent) {
				problem = file.name + " has a line that is no event"
			} else if err != nil {
				return in.taken, err
			}
		}
		if problem != "" && !slices.Contains(p.problems, problem) {
			p.problems = append(p.problems, problem)
		}
		at.Offset = begun + in.taken
	}
	return in.taken, nil
}

// missing forgets files that are gone. One that went before it was read to its end
// is a problem.
func (f *follower) missing(files []logFile, p *progress) {
	f.positions = slices.DeleteFunc(f.positions, func(at Position) bool {
		if slices.ContainsFunc(files, func(file logFile) bool { return file.print == at.Print }) {
			return false
		}
		if at.Offset < at.Size {
			p.problems = append(p.problems, fmt.Sprintf("%s went before its last %d bytes were read", at.Name, at.Size-at.Offset))
		}
		return true
	})
}
