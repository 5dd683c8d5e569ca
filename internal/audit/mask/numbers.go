// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package mask

import "unicode"

// valueOf a digit, also of a full-width one; -1 for anything else.
func valueOf(r rune) int {
	switch {
	case r >= '0' && r <= '9':
		return int(r - '0')
	case r >= '０' && r <= '９':
		return int(r - '０')
	}
	return -1
}

// numbers finds runs of digits that stand alone and masks those that are
// somebody's.
func numbers(text string) string {
	if !contains(text) {
		return text
	}
	runes := []rune(text)
	for i := 0; i < len(runes); {
		if valueOf(runes[i]) < 0 {
			i++
			continue
		}
		if i > 0 && joins(runes[i-1]) {
			for i < len(runes) && (valueOf(runes[i]) >= 0 || joins(runes[i])) {
				i++
			}
			continue
		}
		end := runEnd(runes, i)
		if end < len(runes) && joins(runes[end]) { // a word that begins with digits
			for end < len(runes) && (valueOf(runes[end]) >= 0 || joins(runes[end])) {
				end++
			}
			i = end
			continue
		}
		if hidden, ok := personal(runes[i:groupEnd(runes, i, end)]); ok {
			i += copy(runes[i:end], []rune(hidden))
			continue
		}
		i = nextGroup(runes, i)
	}
	return string(runes)
}

// joins says whether a rune makes digits beside it part of a word, such as a
// digest or a generated name.
func joins(r rune) bool {
	return r == '_' || r == '.' || r == '*' || (r < unicode.MaxASCII && unicode.IsLetter(r))
}

// runEnd is where a number ends that is written in groups: the digits, an X at
// the end of an identity number, and single blanks or dashes between groups.
func runEnd(runes []rune, i int) int {
	for begin := i; i < len(runes); {
		switch {
		case valueOf(runes[i]) >= 0:
			i++
		case i-begin > longestNumber:
			return i
		case (runes[i] == ' ' || runes[i] == '-') && i+1 < len(runes) && valueOf(runes[i+1]) >= 0:
			i += 2
		case (runes[i] == 'x' || runes[i] == 'X') && (i+1 == len(runes) || !joins(runes[i+1]) && valueOf(runes[i+1]) < 0):
			return i + 1
		default:
			return i
		}
	}
	return i
}

// longestNumber is how many signs of a number are looked at.
const longestNumber = 40

// groupEnd bounds a number at the end of one of its groups, so that a text of
// digits alone takes no longer than another.
func groupEnd(runes []rune, i, end int) int {
	if end-i <= longestNumber {
		return end
	}
	for end = i + longestNumber; end > i && valueOf(runes[end]) >= 0 && valueOf(runes[end-1]) >= 0; end-- {
		continue
	}
	return end
}

// nextGroup is where the number's next group begins, so that what follows a
// number that is nobody's is looked at by itself.
func nextGroup(runes []rune, i int) int {
	for i < len(runes) && valueOf(runes[i]) >= 0 {
		i++
	}
	return i
}

// personal says whether the runes begin with a number that is somebody's, and how
// it is shown then. Groups may follow that belong to something else.
func personal(runes []rune) (string, bool) {
	for end := len(runes); end > 0; end-- {
		if end < len(runes) && valueOf(runes[end]) >= 0 && valueOf(runes[end-1]) >= 0 {
			continue // within a group
		}
		if valueOf(runes[end-1]) < 0 && runes[end-1] != 'x' && runes[end-1] != 'X' {
			continue
		}
		text := string(runes[:end])
		digits, groups := cutDigits(runes[:end])
		first, last := 0, 4
		switch {
		case identity(digits):
			first, last = 3, 2
		case mobile(digits, groups):
			first, last = len(digits)-8, 2
		case card(digits, groups):
		case landline(digits, groups):
			first, last = groups[0], 2
		default:
			continue
		}
		return stars(text, first, last), true
	}
	return "", false
}

// cutDigits returns the digits (10 for an X at the end) and the sizes of groups.
func cutDigits(runes []rune) (digits, groups []int) {
	size := 0
	for _, r := range runes {
		switch v := valueOf(r); {
		case v >= 0:
			digits = append(digits, v)
			size++
		case r == 'x' || r == 'X':
			digits = append(digits, 10)
			size++
		default:
			groups = append(groups, size)
			size = 0
		}
	}
	return digits, append(groups, size)
}

var weights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

// identity says whether digits are a Chinese identity number: 18 with a check
// digit, or 15 of the old kind, with a date that there was.
func identity(digits []int) bool {
	switch len(digits) {
	case 18:
		sum := 0
		for i, w := range weights {
			if digits[i] > 9 {
				return false
			}
			sum += w * digits[i]
		}
		year := number(digits[6:10])
		return (12-sum%11)%11 == digits[17] && year >= 1850 && year <= 2100 && date(digits[10:14])
	case 15:
		return digits[14] <= 9 && digits[0] != 0 && date(digits[8:12]) && number(digits[0:2]) >= 11 && number(digits[0:2]) <= 82
	}
	return false
}

func date(digits []int) bool {
	month, day := number(digits[:2]), number(digits[2:])
	return month >= 1 && month <= 12 && day >= 1 && day <= 31
}

func number(digits []int) int {
	n := 0
	for _, d := range digits {
		n = n*10 + d
	}
	return n
}

// card says whether digits are a bank card's: 13 to 19 of them that pass the
// check of Luhn, in one group or in groups of four (six and the rest too).
func card(digits, groups []int) bool {
	if len(digits) < 13 || len(digits) > 19 || digits[len(digits)-1] > 9 {
		return false
	}
	for i, g := range groups[:len(groups)-1] {
		if g != 4 && (i != 0 || g != 6 || len(groups) > 3) {
			return false
		}
	}
	sum := 0
	for i := range digits {
		d := digits[len(digits)-1-i]
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0 && number(digits[:4]) != 0
}

// mobile says whether digits are a Chinese mobile number, with or without 86.
func mobile(digits, groups []int) bool {
	if len(digits) == 13 && digits[0] == 8 && digits[1] == 6 {
		digits = digits[2:]
	}
	return len(digits) == 11 && digits[0] == 1 && digits[1] >= 3 && digits[10] <= 9 && len(groups) <= 4
}

// landline says whether digits are an area code and a number.
func landline(digits, groups []int) bool {
	return len(groups) == 2 && digits[0] == 0 && digits[1] != 0 && (groups[0] == 3 || groups[0] == 4) && (groups[1] == 7 || groups[1] == 8) && digits[len(digits)-1] <= 9
}
