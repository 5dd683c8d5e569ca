// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/textfile"
)

// setters read one column of a person.
var setters = map[string]func(*identityv1.PersonSpec, string) error{
	"displayName": func(s *identityv1.PersonSpec, v string) error { s.DisplayName = v; return nil },
	"staffNumber": func(s *identityv1.PersonSpec, v string) error { s.StaffNumber = v; return nil },
	"unit":        func(s *identityv1.PersonSpec, v string) error { s.Unit = v; return nil },
	"mail":        func(s *identityv1.PersonSpec, v string) error { s.Mail = v; return nil },
	"state": func(s *identityv1.PersonSpec, v string) error {
		s.State = identityv1.PersonState(v)
		if v == "" {
			s.State = identityv1.StateActive
		}
		return nil
	},
	"duty": func(s *identityv1.PersonSpec, v string) error {
		s.Duty = identityv1.Duty(v)
		if v == "" {
			s.Duty = identityv1.DutyNone
		}
		return nil
	},
	"validUntil": func(s *identityv1.PersonSpec, v string) error {
		s.ValidUntil = nil
		if v == "" {
			return nil
		}
		end, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return fmt.Errorf("could not read the time %q: write it as 2027-12-31T23:59:59+08:00", v)
		}
		until := metav1.NewTime(end.UTC())
		s.ValidUntil = &until
		return nil
	},
	"groups": func(s *identityv1.PersonSpec, v string) error { s.Groups = list(v); return nil },
	"logins": func(s *identityv1.PersonSpec, v string) error {
		s.Logins = nil
		for _, text := range list(v) {
			at := strings.IndexAny(text, ":#")
			if at < 1 {
				return fmt.Errorf("could not read the login %q: write provider:login, provider#subject or provider:login#subject", text)
			}
			login := identityv1.Login{Provider: text[:at]}
			if text[at] == ':' {
				login.Login, login.Subject, _ = strings.Cut(text[at+1:], "#")
			} else {
				login.Subject = text[at+1:]
			}
			s.Logins = append(s.Logins, login)
		}
		return nil
	},
	"aliases": func(s *identityv1.PersonSpec, v string) error {
		s.Aliases = nil
		for _, text := range list(v) {
			alias := identityv1.Alias{Name: text, Use: identityv1.UseHuman}
			if name, machine := strings.CutPrefix(text, "machine="); machine {
				alias = identityv1.Alias{Name: name, Use: identityv1.UseMachine}
			}
			s.Aliases = append(s.Aliases, alias)
		}
		return nil
	},
}

// unitSetters read one column of a tenant.
var unitSetters = map[string]func(*Unit, string){
	"displayName":  func(u *Unit, v string) { u.Spec.DisplayName = v },
	"kind":         func(u *Unit, v string) { u.Spec.Kind = v },
	"parent":       func(u *Unit, v string) { u.Spec.Parent = v },
	"environments": func(u *Unit, v string) { u.Spec.Environments = list(v) },
}

// list reads a cell that holds several values.
func list(cell string) []string {
	var all []string
	for _, part := range strings.Split(cell, ";") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// Parse reads a file of people or units: CSV, or JSON when it begins with a brace.
// With faults the batch is not to be used.
func Parse(raw []byte) (Batch, []Fault) {
	raw, bad := textfile.Open(raw)
	if bad > 0 {
		return Batch{}, []Fault{{Line: bad, Message: textfile.NotUTF8}}
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return Batch{}, []Fault{{Message: "the file is empty: nothing was changed"}}
	}
	var b Batch
	var faults []Fault
	if bytes.TrimSpace(raw)[0] == '{' {
		b, faults = parseJSON(raw)
	} else {
		b, faults = parseCSV(raw)
	}
	if len(b.People)+len(b.Units) > MostRows {
		faults = append(faults, Fault{Message: fmt.Sprintf("the file has more than %d rows: divide it", MostRows)})
	}
	return b, faults
}

// unprintable finds what nobody sees: control characters, and marks that turn text
// round or have no width.
func unprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\u3000' })
}

func parseCSV(raw []byte) (Batch, []Fault) {
	table, err := textfile.OpenTable(raw)
	if err != nil {
		return Batch{}, []Fault{{Line: 1, Message: fmt.Sprintf("could not read the header: %v", err)}}
	}
	people := slices.Contains(table.Header, "id")
	if !people && !slices.Contains(table.Header, "name") {
		return Batch{}, []Fault{{Line: 1, Message: "the first line names the columns: id and further ones for people, name and further ones for tenants"}}
	}
	known := append(slices.Sorted(maps.Keys(setters)), "id")
	if !people {
		known = append(slices.Sorted(maps.Keys(unitSetters)), "name")
	}
	b, faults := Batch{}, []Fault(nil)
	for _, odd := range table.Odd(known) {
		faults = append(faults, Fault{Line: 1, Message: odd})
	}
	for more := len(faults) == 0; more && len(b.People)+len(b.Units) <= MostRows; { // Parse says that there are too many
		var row textfile.Row
		row, more = table.Next()
		switch {
		case row.Fault != "":
			faults = append(faults, Fault{Line: row.Line, Message: row.Fault})
		case more:
			if fault := b.add(row.Line, people, row.Values); fault != nil {
				faults = append(faults, *fault)
			}
		}
	}
	return b, faults
}

// add takes one row in.
func (b *Batch) add(line int, people bool, values map[string]string) *Fault {
	id := values["id"]
	if !people {
		id = values["name"]
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if unprintable(values[name]) {
			return &Fault{Line: line, ID: printable(id), Message: fmt.Sprintf("column %q holds characters that cannot be seen: remove them", name)}
		}
	}
	if !people {
		unit := Unit{Line: line, Name: id, Columns: Columns{}}
		for name, value := range values {
			if set := unitSetters[name]; set != nil {
				set(&unit, value)
				unit.Columns[name] = true
			}
		}
		b.Units = append(b.Units, unit)
		return nil
	}
	row := Row{Line: line, ID: id, Columns: Columns{}}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		set := setters[name]
		if set == nil {
			continue
		}
		if err := set(&row.Spec, values[name]); err != nil {
			return &Fault{Line: line, ID: id, Message: err.Error()}
		}
		row.Columns[name] = true
	}
	b.People = append(b.People, row)
	return nil
}

func printable(s string) string {
	if unprintable(s) {
		return ""
	}
	return s
}

// parseJSON reads {"people": [...], "tenants": [...]}: a person is a spec with its
// id, a tenant one with its name.
func parseJSON(raw []byte) (Batch, []Fault) {
	file := struct {
		People  []map[string]json.RawMessage `json:"people"`
		Tenants []map[string]json.RawMessage `json:"tenants"`
	}{}
	if err := strict(raw, &file); err != nil {
		return Batch{}, []Fault{{Message: fmt.Sprintf("could not read the JSON: %v", err)}}
	}
	b, faults := Batch{}, []Fault(nil)
	for i, fields := range file.People {
		row := Row{Line: i + 1, Columns: Columns{}}
		id, body, err := split(fields, "id", row.Columns)
		if err == nil {
			err = strict(body, &row.Spec)
		}
		row.ID = id
		if err != nil {
			faults = append(faults, Fault{Line: i + 1, ID: printable(id), Message: fmt.Sprintf("could not read person %d of the file: %v", i+1, err)})
			continue
		}
		b.People = append(b.People, row)
	}
	for i, fields := range file.Tenants {
		unit := Unit{Line: i + 1, Columns: Columns{}}
		name, body, err := split(fields, "name", unit.Columns)
		if err == nil {
			err = strict(body, &unit.Spec)
		}
		unit.Name = name
		if err != nil {
			faults = append(faults, Fault{Line: i + 1, ID: printable(name), Message: fmt.Sprintf("could not read tenant %d of the file: %v", i+1, err)})
			continue
		}
		b.Units = append(b.Units, unit)
	}
	return b, faults
}

// split takes the name out of an object, notes its other fields, and checks that
// everything in it can be seen.
func split(fields map[string]json.RawMessage, key string, columns Columns) (name string, body []byte, err error) {
	if err := json.Unmarshal(fields[key], &name); err != nil || name == "" {
		return "", nil, fmt.Errorf("%s is missing", key)
	}
	delete(fields, key)
	for field, value := range fields {
		columns[field] = true
		var any any
		if err := json.Unmarshal(value, &any); err != nil {
			return name, nil, err
		}
		if !visible(any) {
			return name, nil, fmt.Errorf("field %q holds characters that cannot be seen: remove them", field)
		}
	}
	if unprintable(name) {
		return name, nil, fmt.Errorf("%s holds characters that cannot be seen: remove them", key)
	}
	body, err = json.Marshal(fields)
	return name, body, err
}

func visible(value any) bool {
	switch v := value.(type) {
	case string:
		return !unprintable(v)
	case []any:
		return !slices.ContainsFunc(v, func(one any) bool { return !visible(one) })
	case map[string]any:
		for key, one := range v {
			if unprintable(key) || !visible(one) {
				return false
			}
		}
	}
	return true
}

func strict(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows after its end")
	}
	return nil
}
