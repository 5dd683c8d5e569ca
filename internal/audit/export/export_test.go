// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/export"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

var (
	at     = time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)
	number = uint64(5)
	about  = export.About{Query: "person=p-op", By: "p-audit", At: at, Covers: 6}
)

func acts() export.Next {
	all := []index.Act{
		{Index: 4, OutcomeIndex: &number, Time: at, Ended: &at, Namespace: "retail-prod", Source: "server", Sequence: 5, Result: audit.Failed,
			Message: "password=hunter2 refused",
			Act: audit.Act{Verb: "release.create", Person: "p-op", Subject: "Release/retail-prod/mobile-bank-x7k2p", Ticket: "=HYPERLINK(1)",
				Reason: "客户卡4111111111111111 <script>alert(1)</script>", Details: []string{"one", "two, \"three\""}, After: "sha256:aa"}},
		{Index: 9, Time: at, Result: index.Underway, Act: audit.Act{Verb: "delivery.step", Person: "p-op", Subject: "Delivery/fairway-cluster-east-1/x", Cluster: "east-1"}},
	}
	return func() ([]index.Act, error) {
		if len(all) == 0 {
			return nil, nil
		}
		one := all[:1]
		all = all[1:]
		return one, nil
	}
}

func TestEveryFormatHasEveryActAndNoSecret(t *testing.T) {
	for _, format := range export.Formats() {
		t.Run(format, func(t *testing.T) {
			out := &bytes.Buffer{}
			n, err := export.Write(out, export.Format(format), about, acts())
			if err != nil || n != 2 {
				t.Fatal(n, err)
			}
			for _, secret := range []string{"hunter2", "4111111111111111", "<script>alert(1)</script>"} {
				if strings.Contains(out.String(), secret) && (format == "report" || secret[0] != '<') {
					t.Errorf("%q is shown:\n%s", secret, out)
				}
			}
			for _, want := range []string{"mobile-bank-x7k2p", "east-1", "[secret]", "1111", "客户卡"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing:\n%s", want, out)
				}
			}
			switch format {
			case "csv":
				rows, err := csv.NewReader(out).ReadAll()
				if err != nil || len(rows) != 3 || len(rows[0]) != len(rows[2]) {
					t.Fatalf("%v %v", rows, err)
				}
				if rows[1][15] != "'=HYPERLINK(1)" {
					t.Errorf("a formula is text: %q", rows[1][15])
				}
			case "jsonl":
				lines := strings.Split(strings.TrimSpace(out.String()), "\n")
				got := index.Act{}
				if err := json.Unmarshal([]byte(lines[0]), &got); err != nil || got.Subject != "Release/retail-prod/mobile-bank-x7k2p" || *got.OutcomeIndex != 5 {
					t.Errorf("%+v %v", got, err)
				}
			case "report":
				for _, foreign := range []string{"http://", "https://", "src="} {
					if strings.Contains(out.String(), foreign) {
						t.Errorf("the page needs nothing else, but has %q", foreign)
					}
				}
			}
		})
	}
	if _, err := export.Write(&bytes.Buffer{}, "pdf", about, acts()); err == nil || !strings.Contains(err.Error(), "csv, jsonl, report") {
		t.Errorf("another format names those there are: %v", err)
	}
	broken := errors.New("broken")
	if _, err := export.Write(&bytes.Buffer{}, export.CSV, about, func() ([]index.Act, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("what cannot be read is no export: %v", err)
	}
}

func TestAnAlteredExportIsFound(t *testing.T) {
	key, err := sealing.Ensure(filepath.Join(t.TempDir(), "export.key"), "test-export")
	if err != nil {
		t.Fatal(err)
	}
	other, err := sealing.Ensure(filepath.Join(t.TempDir(), "export.key"), "test-export")
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := sealing.Verifier(key.Public)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := sealing.Verifier(other.Public)
	if err != nil {
		t.Fatal(err)
	}
	file := &bytes.Buffer{}
	sum := export.NewSum(file)
	n, err := export.Write(sum, export.CSV, about, acts())
	if err != nil {
		t.Fatal(err)
	}
	want := export.Statement{About: about, Format: export.CSV, Digest: sum.Digest(), Bytes: sum.Bytes, Acts: n, Checkpoint: "fairway/2026\n6\nroot=\n\n— fairway sig\n"}
	want.Query = "text=x\ny — z"
	signed, err := want.Sign(key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	got, err := export.Check(signed, bytes.NewReader(file.Bytes()), verifier)
	if err != nil {
		t.Fatal(err)
	}
	want.Query = "text=x y — z" // a statement has one line for it
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i := range file.Bytes() {
		changed := bytes.Clone(file.Bytes())
		changed[i] ^= 1
		if _, err := export.Check(signed, bytes.NewReader(changed), verifier); !errors.Is(err, export.ErrAltered) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	if _, err := export.Check(signed, bytes.NewReader(file.Bytes()[:10]), verifier); !errors.Is(err, export.ErrAltered) {
		t.Errorf("a shorter file: %v", err)
	}
	for i := range bytes.LastIndex(signed, []byte("\n\n")) { // everything that the signature covers
		changed := bytes.Clone(signed)
		changed[i] ^= 1
		if _, err := export.Check(changed, bytes.NewReader(file.Bytes()), verifier); err == nil {
			t.Fatalf("byte %d of the statement may be changed", i)
		}
	}
	if _, err := export.Check(signed, bytes.NewReader(file.Bytes()), foreign); err == nil {
		t.Error("another key has not signed it")
	}
}
