// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package mask takes out of texts what nobody who reads evidence, logs or diffs
// needs: passwords, tokens and keys wholly, and of people's data all but what
// tells two of them apart: names, identity numbers, card, account and telephone
// numbers, mail addresses. Digests, trace ids and person ids stay as they are.
package mask

import (
	"regexp"
	"strings"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// What stands where a secret stood.
const (
	Secret = "[secret]"
	Token  = "[token]"
	Key    = "[key]"
)

// rule replaces what matches.
type rule struct {
	matches *regexp.Regexp
	with    string
}

// secrets are taken out first, the longest shapes before the shorter ones.
var secrets = []rule{
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`), Key},
	{regexp.MustCompile(`PRIVATE\+KEY\+[^\s"']+`), Key},
	{regexp.MustCompile(`eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?`), Token},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}`), "$1 " + Token},
	{regexp.MustCompile(`\b(?:ghp|gho|ghs|glpat|xox[abps]|sk|pk|rk|AKIA|ASIA|AIza)[-_A-Za-z0-9]{14,}`), Token},
	{regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@`), "$1:" + Secret + "@"},
	{regexp.MustCompile(`(?i)(--(?:password|passwd|token|secret|api-key)[ =])(?:\[[a-z]+\]|"[^"]*"|'[^']*'|\S+)`), "${1}" + Secret},
	{regexp.MustCompile(`(?i)((?:password|passwd|passphrase|pwd|secret|token|credential|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|client[-_ ]?key[-_ ]?data|密码|口令|令牌|密钥)["']?\s*(?:[:=：＝]|\bis\b|是|为)\s*)(?:\[[a-z]+\]|"[^"]*"|'[^']*'|[^\s"',;，；。}\])]+)`), "${1}" + Secret},
}

var (
	mail = regexp.MustCompile(`([A-Za-z0-9])[A-Za-z0-9._%+-]*(@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)`)
	name = regexp.MustCompile(`((?i:客户姓名|客户名称|客户名|姓名|户名|持卡人|联系人|开户人|经办人|收款人|付款人|customer name|card ?holder|account holder|payee|payer)["']?\s*[:：=＝]\s*["']?)([\p{Han}][\p{Han}·]{1,7}|[A-Z][\p{L}'-]*(?:[ ][A-Z][\p{L}'-]*){0,3}\**)`)
	// labelled numbers are masked whatever their check digit says.
	labelled = regexp.MustCompile(`((?i:账号|帐号|账户号|卡号|银行卡|身份证号?码?|证件号码?|手机号?码?|电话|account (?:no|number)|card (?:no|number)|id (?:no|number)|phone|mobile)\.?["']?\s*[:：=＝]?\s*["']?)(\+?[0-9０-９][0-9０-９ -]{4,30}[0-9０-９Xx])`)
	dense    = regexp.MustCompile(`[A-Za-z0-9+/_=-]{40,}`)
)

// Text masks a text. Masking twice changes nothing more.
func Text(text string) string {
	if text == "" {
		return text
	}
	for _, r := range secrets {
		text = r.matches.ReplaceAllString(text, r.with)
	}
	text = dense.ReplaceAllStringFunc(text, key)
	text = name.ReplaceAllStringFunc(text, func(found string) string {
		parts := name.FindStringSubmatch(found)
		return parts[1] + string([]rune(parts[2])[:1]) + "**"
	})
	text = mail.ReplaceAllString(text, "$1***$2")
	text = labelled.ReplaceAllStringFunc(text, func(found string) string {
		parts := labelled.FindStringSubmatch(found)
		return parts[1] + stars(parts[2], 0, 2)
	})
	return numbers(text)
}

// secretName is what fields are called that hold secrets.
var secretName = regexp.MustCompile(`(?i)(password|passwd|passphrase|pwd|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key|密码|口令|令牌|密钥)`)

// Field masks the value of a field: wholly where its name says that it is secret.
// A reference to where a secret lies is none.
func Field(name, value string) string {
	if value == "" || !secretName.MatchString(name) || reference.MatchString(name) {
		return Text(value)
	}
	return Secret
}

var reference = regexp.MustCompile(`(?i)(ref|name|key)(\.|\[|$)`)

// object names an object: "<Kind>/<namespace>/<name>", where the hub's names have
// small letters only.
var object = regexp.MustCompile(`^[A-Z][A-Za-z]{1,40}(?:/[a-z0-9-]{1,63}){1,2}$`)

// key masks what looks like a key: long, with small and capital letters and
// digits. Digests are in small letters and stay, and so do names of objects.
func key(found string) string {
	if object.MatchString(found) {
		return found
	}
	small, capital, digit := false, false, false
	for _, r := range found {
		small = small || (r >= 'a' && r <= 'z')
		capital = capital || (r >= 'A' && r <= 'Z')
		digit = digit || (r >= '0' && r <= '9')
	}
	if small && capital && digit {
		return Token
	}
	return found
}

// stars keeps the first and the last digits of a number and hides those between;
// what separates them stays.
func stars(number string, first, last int) string {
	runes := []rune(number)
	count := 0
	for _, r := range runes {
		if valueOf(r) >= 0 || r == 'x' || r == 'X' {
			count++
		}
	}
	seen := 0
	for i, r := range runes {
		if valueOf(r) < 0 && r != 'x' && r != 'X' {
			continue
		}
		if seen++; seen > first && seen <= count-last {
			runes[i] = '*'
		}
	}
	return string(runes)
}

// Act masks what people wrote and programs said in an act; names, ids and digests
// stay.
func Act(act audit.Act) audit.Act {
	for _, text := range []*string{&act.Subject, &act.Reason, &act.Ticket, &act.Verdict} {
		*text = Text(*text)
	}
	if len(act.Details) > 0 {
		details := make([]string, len(act.Details))
		for i, d := range act.Details {
			details[i] = Text(d)
		}
		act.Details = details
	}
	return act
}

// Entry masks a record.
func Entry(e audit.Entry) audit.Entry {
	if e.Record.Act != nil {
		act := Act(*e.Record.Act)
		e.Record.Act = &act
	}
	if e.Record.Outcome != nil {
		outcome := *e.Record.Outcome
		outcome.Message = Text(outcome.Message)
		e.Record.Outcome = &outcome
	}
	return e
}

// contains says whether any rune of the text is a digit: most texts have none.
func contains(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return valueOf(r) >= 0 })
}
