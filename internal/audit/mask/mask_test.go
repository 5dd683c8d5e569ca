// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package mask_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/audittest"
	"github.com/fairway-cloud/fairway/internal/audit/mask"
)

func TestText(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"Nothing":          {"", ""},
		"Plain":            {"stuck thread after the night batch", "stuck thread after the night batch"},
		"Card":             {"paid with 6222021001122334458 today", "paid with ***************4458 today"},
		"CardInGroups":     {"card 4111 1111 1111 1111, again", "card **** **** **** 1111, again"},
		"CardDashes":       {"4111-1111-1111-1111", "****-****-****-1111"},
		"CardFullWidth":    {"卡４１１１１１１１１１１１１１１１。", "卡************１１１１。"},
		"CardInChinese":    {"客户卡4111111111111111挂失", "客户卡************1111挂失"},
		"NoCard":           {"build 4111111111111112", "build 4111111111111112"},
		"Account":          {"账号：622588012345678", "账号：*************78"},
		"AccountEnglish":   {"account number 12345678", "account number ******78"},
		"Identity":         {"身份 11010519491231002X 办理", "身份 110*************2X 办理"},
		"IdentityOld":      {"130503670401001", "130**********01"},
		"IdentityWrong":    {"110105194912310021", "110105194912310021"},
		"Mobile":           {"call 13812345678 now", "call 138******78 now"},
		"MobileAbroad":     {"+8613812345678", "+86138******78"},
		"MobileGroups":     {"138 1234 5678", "138 **** **78"},
		"Landline":         {"021-61234567", "021-******67"},
		"PhoneLabelled":    {"电话 61234567", "电话 ******67"},
		"Mail":             {"ask wang.wu@bank.example for it", "ask w***@bank.example for it"},
		"Name":             {"客户姓名：张三，挂失", "客户姓名：张**，挂失"},
		"NameEnglish":      {"card holder: Zhang San", "card holder: Z**"},
		"Password":         {"login with password=hunter2, then", "login with password=[secret], then"},
		"PasswordJSON":     {`{"password":"hunter 2","user":"a"}`, `{"password":[secret],"user":"a"}`},
		"PasswordChinese":  {"密码是abc123。", "密码是[secret]。"},
		"PasswordFlag":     {"run --password hunter2 --user a", "run --password [secret] --user a"},
		"Bearer":           {"Authorization: Bearer abcdef0123456789", "Authorization: Bearer [token]"},
		"JWT":              {"got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl.", "got [token]."},
		"URL":              {"postgres://fairway:s3cret@db/x", "postgres://fairway:[secret]@db/x"},
		"PEM":              {"key -----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY----- end", "key [key] end"},
		"PEMTorn":          {"-----BEGIN PRIVATE KEY-----\nMHcCAQEE", "[key]"},
		"NoteKey":          {"PRIVATE+KEY+fairway+1234+AbCd/0==", "[key]"},
		"AccessKey":        {"AKIAIOSFODNN7EXAMPLE", "[token]"},
		"LongKey":          {"uses wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY0123abc", "uses [token]"},
		"Digest":           {"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
		"Trace":            {"00001111222233334444555566667777", "00001111222233334444555566667777"},
		"GeneratedName":    {"mobile-bank-x7k2p account-7f3a2b1c east-3", "mobile-bank-x7k2p account-7f3a2b1c east-3"},
		"Object":           {"Delivery/fairway-cluster-east-1/retail-prod-mobile-bank-1", "Delivery/fairway-cluster-east-1/retail-prod-mobile-bank-1"},
		"NoObject":         {"uses Jalr/XUtnFEMIK7MDENG/bPxRfiCYEXAMPLEKEY0123abc", "uses [token]"},
		"Address":          {"10.123.145.167:8443", "10.123.145.167:8443"},
		"Time":             {"2026-11-28 03:15:36 and 2026-11-28T03:15:36.123456Z", "2026-11-28 03:15:36 and 2026-11-28T03:15:36.123456Z"},
		"Version":          {"v1.36.3 20261128", "v1.36.3 20261128"},
		"Ticket":           {"CHG-004711", "CHG-004711"},
		"TokenWord":        {"the token was revoked", "the token was revoked"},
		"TwoCards":         {"4111111111111111 5500005555555559", "************1111 ************5559"},
		"CardThenAmount":   {"4111111111111111 100", "************1111 100"},
		"NumberThenMobile": {"42 13812345678", "42 138******78"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := mask.Text(test.text)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again := mask.Text(got); again != got {
				t.Errorf("masking twice changes %q to %q", got, again)
			}
		})
	}
}

func TestField(t *testing.T) {
	for name, test := range map[string]struct{ name, value, want string }{
		"Secret":    {"components[account].env[DB_PASSWORD].value", "hunter2", mask.Secret},
		"Chinese":   {"密码", "hunter2", mask.Secret},
		"Absent":    {"components[account].env[DB_PASSWORD].value", "", ""},
		"Reference": {"components[account].env[DB_PASSWORD].secretRef.name", "db", "db"},
		"Other":     {"components[account].image", "bank/account:v2", "bank/account:v2"},
		"Text":      {"components[account].env[URL].value", "https://u:pw1@h/", "https://u:[secret]@h/"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mask.Field(test.name, test.value); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

// luhn returns digits with their check digit.
func luhn(digits string) string {
	for check := '0'; check <= '9'; check++ {
		sum, all := 0, digits+string(check)
		for i := range all {
			d := int(all[len(all)-1-i] - '0')
			if i%2 == 1 {
				if d *= 2; d > 9 {
					d -= 9
				}
			}
			sum += d
		}
		if sum%10 == 0 {
			return all
		}
	}
	return ""
}

// Any card in any sentence is masked, and no other letter is changed.
func TestAnyCardInAnySentence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := luhn(rapid.StringMatching(`[1-9][0-9]{14,17}`).Draw(t, "digits"))
		before := rapid.StringMatching(`[a-z\p{Han},. ]{0,20}[\p{Han} ,(]`).Draw(t, "before")
		after := rapid.StringMatching(`[\p{Han},)。][a-z\p{Han}, ]{0,20}`).Draw(t, "after")
		got := mask.Text(before + number + after)
		if strings.Contains(got, number) || strings.Contains(got, number[3:len(number)-5]) {
			t.Fatalf("%q shows %s", got, number)
		}
		if !strings.HasPrefix(got, before) || !strings.HasSuffix(got, after) {
			t.Fatalf("%q became %q", before+number+after, got)
		}
	})
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "4111 1111 1111 1111", "11010519491231002X", "password: x", "Bearer abcdefgh", "\xff4111111111111111\x00", "姓名：张三", "a@b.c", "１３８１２３４５６７８"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := mask.Text(text)
		if again := mask.Text(once); again != once {
			t.Errorf("masking %q twice changes %q to %q", text, once, again)
		}
		got := mask.Text(text + " 4111111111111111 ")
		if strings.Contains(got, "4111111111111111") && !strings.HasSuffix(text, "*") {
			t.Errorf("%q shows the card", got)
		}
	})
}

// Unique secrets put into every field and every log line are found nowhere.
func TestCanariesAreFoundNowhere(t *testing.T) {
	canaries := map[string]string{
		"password":   "password=Canary-Pw-1 ",
		"token":      "Bearer canaryTokenValue0001 ",
		"card":       "6222021001122334458 ",
		"identity":   "11010519491231002X ",
		"telephone":  "13812345678 ",
		"privateKey": "-----BEGIN PRIVATE KEY-----\nCanaryKeyMaterial\n-----END PRIVATE KEY----- ",
		"url":        "https://u:Canary-Url-Pw@h/ ",
	}
	marks := []string{"Canary-Pw-1", "canaryTokenValue0001", "62220210011", "19491231", "13812345", "CanaryKeyMaterial", "Canary-Url-Pw"}
	every := ""
	for _, c := range canaries {
		every += c
	}
	written := &bytes.Buffer{}
	log := slog.New(mask.Handler(slog.NewJSONHandler(written, nil)))
	log.With("with", every).WithGroup("g").Error(every, "text", every, "err", errors.New(every), "list", []string{every}, slog.Group("in", "deep", every))

	kept := audittest.New("s", audittest.Clock(time.Unix(0, 0)))
	recorder := mask.Recorder(kept)
	id, err := recorder.Intent(t.Context(), audit.Act{Verb: "v", Person: "p", Subject: "Application/a/15987654321", Reason: every, Ticket: every, Verdict: every, Details: []string{every, every}})
	if err != nil {
		t.Fatal(err)
	}
	if err := recorder.Outcome(t.Context(), id, audit.Outcome{Result: audit.Failed, Message: every}); err != nil {
		t.Fatal(err)
	}
	if _, err := recorder.(audit.Spooler).Spool(t.Context(), audit.Act{Reason: every}); err != nil {
		t.Fatal(err)
	}
	for _, e := range kept.Entries() {
		written.Write(e.Record.Canonical())
	}
	for _, mark := range marks {
		if strings.Contains(written.String(), mark) {
			t.Errorf("%q is found in what was written:\n%s", mark, written)
		}
	}
	if !strings.Contains(written.String(), "Application/a/15987654321") {
		t.Error("what a record is about keeps its name")
	}
	if strings.Count(written.String(), mask.Secret) < 10 {
		t.Errorf("the test looks in the wrong place:\n%s", written)
	}
}

// A hostile text takes no longer than its length allows.
func TestLongTexts(t *testing.T) {
	for name, part := range map[string]string{"Digits": "1", "Groups": "1 ", "Dashes": "12-", "Letters": "aB1", "Labels": "账号", "Names": "姓名：张", "Equals": "token=", "At": "a@", "Quotes": `password:"`, "Keys": "-----BEGIN PRIVATE KEY-----"} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			mask.Text(strings.Repeat(part, 64<<10/len(part)))
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("64 KiB take %s", took)
			}
		})
	}
}
