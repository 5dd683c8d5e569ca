// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"text/template"
	"time"
	_ "time/tzdata" // the rules of time zones, where the machine has none

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

// Config is the file that says how people are told (fairway server
// --notify-config). Passwords and keys lie in files of their own, mode 0600.
type Config struct {
	// Language of notices: zh or en. Default: zh.
	Language Language `json:"language,omitempty"`
	// TimeZone of moments in notices, IANA. Default: UTC.
	TimeZone string `json:"timeZone,omitempty"`
	// ExpiresSoon is how long before its end a request that waits expires soon.
	// Default: 4h.
	ExpiresSoon metav1.Duration `json:"expiresSoon,omitempty"`
	// Mail server. Default: no mail.
	Mail *MailConfig `json:"mail,omitempty"`
	// Webhooks that notices are posted to. Default: none.
	Webhooks []WebhookConfig `json:"webhooks,omitempty"`
	// Groups are mailing lists of the bank's groups, besides the addresses of the
	// people who are known to be in them.
	Groups map[string][]string `json:"groups,omitempty"`
}

// WebhookConfig is one system that notices are posted to.
type WebhookConfig struct {
	// Name of the webhook.
	Name string `json:"name"`
	// URL, CAFile and Networks as for the systems of --itsm-config.
	URL      string   `json:"url"`
	CAFile   string   `json:"caFile,omitempty"`
	Networks []string `json:"networks,omitempty"`
	// Key that signs.
	Key KeyFile `json:"key"`
	// Kinds of notice that go there. Default: all.
	Kinds []Kind `json:"kinds,omitempty"`
	// Body is a template of the JSON that is posted, with the fields Kind, Subject,
	// Text, Namespace and Name, and the function json, for example
	// {"msgtype":"text","text":{"content":{{json .Text}}}}. Default: those fields.
	Body string `json:"body,omitempty"`
}

// KeyFile names a key and the file, mode 0600, that holds it.
type KeyFile struct {
	ID   string `json:"id"`
	File string `json:"file"`
}

// Settings are what a Config was read to.
type Settings struct {
	Language    Language
	Zone        *time.Location
	ExpiresSoon time.Duration
	Mail        *Mail
	Hooks       []Hook
	Groups      map[string][]string
}

// Hook is a webhook that was read.
type Hook struct {
	Name   string
	Target *webhook.Target
	Kinds  []Kind
	body   *template.Template
}

// posted are what the template of a webhook's body is filled with.
type posted struct {
	Kind      Kind   `json:"kind"`
	Subject   string `json:"subject"`
	Text      string `json:"text"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// ReadConfig reads the file and the secrets that it names.
func ReadConfig(path string, now clock.PassiveClock) (Settings, error) {
	raw, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return Settings{}, fmt.Errorf("could not read how people are told: %w", err)
	}
	config := Config{Language: Chinese, TimeZone: "UTC", ExpiresSoon: metav1.Duration{Duration: 4 * time.Hour}}
	if err := yaml.UnmarshalStrict(raw, &config); err != nil {
		return Settings{}, fmt.Errorf("could not read how people are told in %q: %w", path, err)
	}
	s, err := config.settings(filepath.Dir(path), now)
	if err != nil {
		return Settings{}, fmt.Errorf("could not use %q: %w", path, err)
	}
	return s, nil
}

func (c Config) settings(folder string, now clock.PassiveClock) (Settings, error) {
	s := Settings{Language: c.Language, ExpiresSoon: c.ExpiresSoon.Duration, Groups: c.Groups}
	if templates[c.Language] == nil {
		return s, fmt.Errorf("language %q: the languages are zh and en", string(c.Language))
	}
	var err error
	if s.Zone, err = time.LoadLocation(c.TimeZone); err != nil || c.TimeZone == "Local" {
		return s, fmt.Errorf("time zone %q: write an IANA name, such as Asia/Shanghai", c.TimeZone)
	}
	if s.ExpiresSoon <= 0 {
		return s, errors.New("expiresSoon: write a time, such as 4h")
	}
	for group, list := range c.Groups {
		for _, address := range list {
			if _, err := plainAddress(address); err != nil {
				return s, fmt.Errorf("group %q: %w", group, err)
			}
		}
	}
	if c.Mail != nil {
		if s.Mail, err = c.Mail.open(folder, now); err != nil {
			return s, fmt.Errorf("mail: %w", err)
		}
	}
	for _, w := range c.Webhooks {
		h, err := w.open(folder, now)
		if err != nil {
			return s, fmt.Errorf("webhook %q: %w", w.Name, err)
		}
		if slices.ContainsFunc(s.Hooks, func(other Hook) bool { return other.Name == h.Name }) {
			return s, fmt.Errorf("webhook %q: another has that name", w.Name)
		}
		s.Hooks = append(s.Hooks, h)
	}
	return s, nil
}

var hookName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (w WebhookConfig) open(folder string, now clock.PassiveClock) (Hook, error) {
	if !hookName.MatchString(w.Name) {
		return Hook{}, errors.New("a name has 1 to 63 lower-case letters, digits and dashes")
	}
	for _, k := range w.Kinds {
		if !slices.Contains(Kinds(), k) {
			return Hook{}, fmt.Errorf("kind %q: the kinds are %v", string(k), Kinds())
		}
	}
	key, err := webhook.ReadKey(w.Key.ID, beside(folder, w.Key.File))
	if err != nil {
		return Hook{}, err
	}
	if w.CAFile != "" {
		w.CAFile = beside(folder, w.CAFile)
	}
	h := Hook{Name: w.Name, Kinds: w.Kinds}
	if h.Target, err = webhook.NewTarget(webhook.TargetOptions{URL: w.URL, CAFile: w.CAFile, Networks: w.Networks, Key: key, Clock: now}); err != nil {
		return Hook{}, err
	}
	if w.Body == "" {
		return h, nil
	}
	h.body, err = template.New(w.Name).Option("missingkey=error").Funcs(template.FuncMap{"json": asJSON}).Parse(w.Body)
	if err != nil {
		return Hook{}, fmt.Errorf("body: %w", err)
	}
	if _, err := h.write(posted{Kind: Waiting, Subject: "\"", Text: "\"\n", Namespace: "n", Name: "n"}); err != nil {
		return Hook{}, fmt.Errorf("body: %w", err)
	}
	return h, nil
}

func asJSON(value any) (string, error) {
	raw, err := json.Marshal(value)
	return string(raw), err
}

// write makes the body that is posted.
func (h Hook) write(p posted) ([]byte, error) {
	if h.body == nil {
		return json.Marshal(p)
	}
	var out bytes.Buffer
	if err := h.body.Execute(&out, p); err != nil {
		return nil, err
	}
	if !json.Valid(out.Bytes()) {
		return nil, errors.New("it does not give JSON: write each field as {{json .Text}}")
	}
	return out.Bytes(), nil
}

// plainAddress returns the bare address of a mailbox.
func plainAddress(text string) (string, error) {
	parsed, err := mail.ParseAddress(text)
	if err != nil || len(parsed.Address) > 254 {
		return "", fmt.Errorf("could not read the mail address %q", text)
	}
	return parsed.Address, nil
}

// beside reads a relative path from where the configuration lies.
func beside(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}
