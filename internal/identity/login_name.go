// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"unicode"
	"unicode/utf8"
)

// LongestLogin is the most bytes of the name that somebody types to come in.
const LongestLogin = 256

// CheckLogin says what is wrong with a name that somebody types. Empty: nothing.
// Names of directories may hold letters of any script, but nothing that is not
// seen: no control characters, no marks that turn the direction of writing, no
// spaces of no width.
func CheckLogin(login string) string {
	switch {
	case login == "":
		return "the name is empty"
	case len(login) > LongestLogin:
		return "the name is longer than 256 bytes"
	case !utf8.ValidString(login):
		return "the name is not UTF-8"
	}
	for _, c := range login {
		if c == utf8.RuneError || unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || unicode.Is(unicode.Co, c) ||
			(unicode.IsSpace(c) && c != ' ') {
			return "the name holds characters that are not seen"
		}
	}
	return ""
}

// Blurred stands in the evidence for a name that nobody has: it may be a password
// that somebody typed into the wrong field. The same name gives the same word, so
// that attempts can be counted; without the key nobody finds out which it was.
func Blurred(key []byte, login string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(login))
	return "unknown-" + hex.EncodeToString(mac.Sum(nil)[:6])
}

// Shown is a text of a client, such as its User-Agent, as it may be kept and shown:
// at most most bytes, without what is not seen.
func Shown(text string, most int) string {
	kept := make([]rune, 0, min(len(text), most))
	size := 0
	for _, c := range text {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			continue
		}
		if size += utf8.RuneLen(c); size > most {
			break
		}
		kept = append(kept, c)
	}
	return string(kept)
}
