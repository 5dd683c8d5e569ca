// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package textfile looks at the text of files that people and other systems hand in,
// before anybody reads what it says.
package textfile

import (
	"bytes"
	"unicode/utf8"
)

// Open returns the text without a byte-order mark. bad is the line of the first byte that
// is not UTF-8, as in a file saved as GBK; 0: there is none.
func Open(raw []byte) (text []byte, bad int) {
	text = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if utf8.Valid(text) {
		return text, 0
	}
	bad = 1
	for rest := text; ; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			return text, bad
		}
		if r == '\n' {
			bad++
		}
		rest = rest[size:]
	}
}

// NotUTF8 says so of a file, and what to do.
const NotUTF8 = "the file is not UTF-8 (it may be GBK): save it as UTF-8 and import it again"
