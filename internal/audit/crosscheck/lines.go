// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package crosscheck

import (
	"bufio"
	"errors"
	"io"
)

// longestLine is the most bytes of a line that are kept in memory. An API server
// takes no object of more than 3 MiB; a line may hold it twice.
const longestLine = 16 << 20

// lineState says how a line ended.
type lineState int

const (
	// whole: with its line break.
	whole lineState = iota
	// ended: the input ended before a line break.
	ended
	// tooLong: with its line break, but it is longer than a line may be; nothing of it
	// is returned.
	tooLong
)

// lines reads lines of any length in bounded memory.
type lines struct {
	in *bufio.Reader
	// taken counts the bytes of the lines that ended.
	taken int64
}

func newLines(in io.Reader) *lines { return &lines{in: bufio.NewReaderSize(in, 256<<10)} }

// next returns the next line without its line break.
func (l *lines) next() (line []byte, state lineState, err error) {
	read, long := int64(0), false
	for {
		part, err := l.in.ReadSlice('\n')
		read += int64(len(part))
		if long = long || len(line)+len(part) > longestLine; long {
			line = nil
		} else {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return line, ended, nil
		case err != nil:
			return nil, ended, err
		}
		l.taken += read
		if long {
			return nil, tooLong, nil
		}
		return line[:len(line)-1], whole, nil
	}
}
