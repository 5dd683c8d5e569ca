// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package index

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fairway-cloud/fairway/internal/platform/database"
)

// longestWord is how many characters of a word count.
const longestWord = 24

// wordsOf cuts a text into the words by which it is found. Letters and digits in
// a row are a word, in small letters. Chinese, Japanese and Korean have no spaces:
// there every two characters in a row are a word, and the last one alone.
func wordsOf(text string) []string {
	var words []string
	var run []rune
	dense := false
	end := func() {
		words = append(words, cut(run, dense, true)...)
		run = run[:0]
	}
	for _, r := range text {
		switch {
		case r == utf8.RuneError || !(unicode.IsLetter(r) || unicode.IsNumber(r)):
			end()
			continue
		case len(run) > 0 && isDense(r) != dense:
			end()
		}
		dense = isDense(r)
		run = append(run, unicode.ToLower(r))
	}
	end()
	return words
}

// cut makes the words of one run. last says whether the last character of a dense
// run is a word too.
func cut(run []rune, dense, last bool) []string {
	switch {
	case len(run) == 0:
		return nil
	case !dense:
		return []string{string(run[:min(len(run), longestWord)])}
	}
	var words []string
	for i := 0; i+1 < len(run); i++ {
		words = append(words, string(run[i:i+2]))
	}
	if last || len(run) == 1 {
		words = append(words, string(run[len(run)-1:]))
	}
	return words
}

func isDense(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// phrase is one thing asked for: words in a row, of which the last may go on.
type phrase []string

// phrasesOf reads what somebody looks for: everything between spaces must be
// there, its words in a row.
func phrasesOf(asked string) []phrase {
	var phrases []phrase
	for field := range strings.FieldsSeq(asked) {
		words := wordsOf(field)
		if n := len(words); n > 1 {
			// "网点" means the two in a row; that its last character ends a text is not asked.
			if r := []rune(words[n-1]); len(r) == 1 && isDense(r[0]) && len([]rune(words[n-2])) == 2 && isDense([]rune(words[n-2])[1]) {
				words = words[:n-1]
			}
		}
		if len(words) > 0 {
			phrases = append(phrases, phrase(words))
		}
	}
	return phrases
}

// match writes phrases as the engine's full-text search takes them. Words hold
// letters and digits only, so that nothing needs to be quoted twice.
func match(dialect database.Dialect, phrases []phrase) string {
	var all []string
	for _, p := range phrases {
		if dialect == database.Postgres {
			quoted := make([]string, len(p))
			for i, w := range p {
				quoted[i] = "'" + w + "'"
			}
			all = append(all, strings.Join(quoted, " <-> ")+":*")
			continue
		}
		all = append(all, `"`+strings.Join(p, " ")+`" *`)
	}
	if dialect == database.Postgres {
		return strings.Join(all, " & ")
	}
	return strings.Join(all, " AND ")
}

// mostPlaces is how many places of words PostgreSQL tells apart.
const mostPlaces = 16383

// document writes words as the engine stores them.
func document(dialect database.Dialect, words []string) string {
	if dialect != database.Postgres {
		return strings.Join(words, " ")
	}
	out := &strings.Builder{}
	for i, w := range words {
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString("'" + w + "':" + strconv.Itoa(min(i+1, mostPlaces)))
	}
	return out.String()
}
