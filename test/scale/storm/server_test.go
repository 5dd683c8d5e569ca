// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package storm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fairway-cloud/fairway/internal/cli"
)

// faults are the errors that the server logged since they were asked for last, by what they
// say, with how often each did.
func (b *bank) faults() map[string]int {
	b.t.Helper()
	out := map[string]int{}
	content, err := os.ReadFile(b.Log())
	b.must(err)
	for line := range bytes.Lines(content[b.read:]) {
		var entry struct{ Level, Msg, Err, Error string }
		if json.Unmarshal(line, &entry) == nil && entry.Level == "ERROR" {
			out[entry.Msg+": "+entry.Err+entry.Error]++
		}
	}
	b.read = int64(len(content))
	return out
}

// looks is how often the controller of losses has looked at everything.
func (b *bank) looks() int {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.Metrics+"/metrics", nil)
	b.must(err)
	response, err := http.DefaultClient.Do(request)
	b.must(err)
	defer response.Body.Close() //nolint:errcheck // only read
	n := 0
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, `controller_runtime_reconcile_total{controller="placement.lost"`) {
			count, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
			b.must(err)
			n += int(count)
		}
	}
	return n
}

// acts are those in evidence that the auditor has not seen yet; he has seen them then. He logs
// in before he looks: once that is on record, so is all that was before.
func (b *bank) acts() []cli.Evidence {
	b.t.Helper()
	b.comeIn("auditor")
	b.marks++
	api, err := cli.NewClient(cli.Access{Server: "https://" + b.Address, TokenFile: filepath.Join(b.Dir, "tokens", "auditor.token"), CAFile: filepath.Join(b.Dir, "ca.crt")})
	b.must(err)
	var found []cli.Evidence
	b.await("all that happened is in the index of evidence", func() string {
		all, behind, err := api.Evidence(b.t.Context(), "/api/v1/audit/records", url.Values{"order": {"oldest"}}, 0)
		if err != nil {
			return err.Error()
		}
		marks := 0
		for _, act := range all {
			if act.Person == "auditor" && act.Verb == "identity.login" {
				marks++
			}
		}
		if marks <= b.marks { // he came in once when he was hired
			return fmt.Sprintf("%d records are not", behind)
		}
		found = all
		return ""
	})
	var fresh []cli.Evidence
	for _, act := range found {
		if act.Index > b.seen {
			fresh = append(fresh, act)
		}
	}
	for _, act := range fresh {
		b.seen = max(b.seen, act.Index)
	}
	return fresh
}
