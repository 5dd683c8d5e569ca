// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a password.
const (
	// ShortestPassword in characters.
	ShortestPassword = 12
	// LongestPassword in bytes: longer ones only make the server work.
	LongestPassword = 256
)

// CheckPassword says what is wrong with a new password. Empty: nothing. Length
// counts more than odd characters; what people choose first is refused.
func CheckPassword(login, password string) string {
	switch {
	case !utf8.ValidString(password):
		return "the password is not UTF-8"
	case utf8.RuneCountInString(password) < ShortestPassword:
		return "the password has fewer than 12 characters"
	case len(password) > LongestPassword:
		return "the password is longer than 256 bytes"
	}
	different := map[rune]bool{}
	for _, c := range password {
		if unicode.IsControl(c) {
			return "the password holds control characters"
		}
		different[c] = true
	}
	low := strings.ToLower(password)
	if login != "" && strings.Contains(low, strings.ToLower(login)) {
		return "the password holds the name of the account"
	}
	if len(different) < 6 {
		return "the password repeats the same few characters"
	}
	for _, common := range commonPasswords {
		if rest := strings.ReplaceAll(low, common, ""); len(rest) < 6 {
			return "the password is one that many people choose"
		}
	}
	if steps(low) {
		return "the password only counts up or down, or follows the keyboard"
	}
	return ""
}

// commonPasswords are words that passwords are made of when nobody thinks.
var commonPasswords = []string{"password", "passw0rd", "p@ssw0rd", "welcome", "fairway", "changeme", "administrator", "admin", "qwerty", "letmein", "iloveyou", "woaini"}

// steps says whether the text is one run of neighbours: 123456789012, qwertyuiop[].
func steps(text string) bool {
	const rows = "abcdefghijklmnopqrstuvwxyz|012345678901234567890123456789|qwertyuiop[]|asdfghjkl;'|zxcvbnm,./|`1234567890-="
	if strings.Contains(rows, text) {
		return true
	}
	backwards := []rune(text)
	for i, j := 0, len(backwards)-1; i < j; i, j = i+1, j-1 {
		backwards[i], backwards[j] = backwards[j], backwards[i]
	}
	return strings.Contains(rows, string(backwards))
}
