// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package measure

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/api"
	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

const (
	// answerWithin bounds one question, and mostAnswer what is read of an answer: one
	// number needs less than a KiB.
	answerWithin = 10 * time.Second
	mostAnswer   = 256 << 10
	// atOnce is how many questions are under way at a time.
	atOnce = 8
)

// Source is one Prometheus.
type Source struct {
	// Name in messages, and Clusters that it knows. None: all the others.
	Name     string
	Clusters []string
	// Within bounds one question, from the first byte of it to the last of the answer.
	// Default: 10 seconds.
	Within time.Duration

	config SourceConfig
	api    prometheus.API
	client *http.Client
}

func newSource(c SourceConfig) (*Source, error) {
	client, err := webhook.NewClient(webhook.ClientOptions{URL: c.URL, CAFile: c.CAFile, Networks: c.Networks, Within: answerWithin, Idle: atOnce})
	if err != nil {
		return nil, err
	}
	s := &Source{Name: c.Name, Clusters: c.Clusters, Within: answerWithin, config: c, client: client}
	asking := *client
	asking.Transport = &carrier{source: s, next: client.Transport}
	made, err := api.NewClient(api.Config{Address: c.URL, Client: &asking})
	if err != nil {
		// The error may repeat the address.
		return nil, errors.New("its address cannot be used")
	}
	s.api = prometheus.NewAPI(made)
	return s, nil
}

// Errors of questions. They say what a person can act on, and hold nothing of answers
// but what Prometheus says about a query.
var (
	// ErrQuery: Prometheus cannot read the query.
	ErrQuery = errors.New("the query cannot be read by Prometheus")
	// ErrAway: there was no answer; the next questions will have none either.
	ErrAway = errors.New("no answer comes from Prometheus")
)

// Ask asks for the numbers that a query has now.
func (s *Source) Ask(ctx context.Context, query string, now time.Time) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Within)
	defer cancel()
	answer, _, _, err := s.api.Query(ctx, query, now, prometheus.WithTimeout(s.Within/2))
	if err != nil {
		return nil, s.failed(err)
	}
	switch v := answer.(type) {
	case nil: // it says that it succeeded, and nothing else
	case model.Vector:
		out := make([]float64, 0, len(v))
		for _, sample := range v {
			if sample == nil || sample.Timestamp == 0 {
				return nil, s.unreadable()
			}
			out = append(out, float64(sample.Value))
		}
		return out, nil
	case *model.Scalar:
		if v.Timestamp != 0 {
			return []float64{float64(v.Value)}, nil
		}
	default:
		return nil, fmt.Errorf("%w: it gives a %s, and one number is needed", ErrQuery, answer.Type())
	}
	return nil, s.unreadable()
}

// unreadable is the failure of an answer that holds no number where one has to be: the
// client takes a missing value for 0, which would be believed. What was measured has a time.
func (s *Source) unreadable() error {
	return fmt.Errorf("prometheus %q: its answer cannot be read", s.Name)
}

// failed says what went wrong without repeating the address or the answer.
func (s *Source) failed(err error) error {
	var told *prometheus.Error
	var reached *url.Error
	switch {
	case errors.Is(err, errTooLarge):
		return fmt.Errorf("prometheus %q: %w", s.Name, errTooLarge)
	case errors.Is(err, errCredential):
		return fmt.Errorf("prometheus %q: %w: %w", s.Name, ErrAway, errCredential)
	case errors.As(err, &told) && told.Type == prometheus.ErrBadData:
		return fmt.Errorf("%w: %s", ErrQuery, printable(told.Msg))
	case errors.As(err, &told) && told.Type == prometheus.ErrTimeout:
		return fmt.Errorf("prometheus %q: the query took too long", s.Name)
	case errors.As(err, &told):
		return fmt.Errorf("prometheus %q: it answered with an error (%s)", s.Name, told.Type)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &reached) && reached.Timeout():
		return fmt.Errorf("prometheus %q: %w within %s", s.Name, ErrAway, s.Within)
	case errors.As(err, &reached):
		return fmt.Errorf("prometheus %q: %w: it cannot be reached", s.Name, ErrAway)
	}
	return s.unreadable()
}

// printable is the beginning of what Prometheus says about a query.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if len(text) > 256 {
		text = strings.ToValidUTF8(text[:256], "") + " …"
	}
	return text
}

// carrier adds the credential to a question and bounds the answer.
type carrier struct {
	source *Source
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c *carrier) RoundTrip(request *http.Request) (*http.Response, error) {
	header, err := c.source.credential()
	if err != nil {
		return nil, err
	}
	request = request.Clone(request.Context())
	request.Header.Set("User-Agent", "fairway")
	if header != "" {
		request.Header.Set("Authorization", header)
	}
	response, err := c.next.RoundTrip(request)
	if err == nil {
		response.Body = &bounded{ReadCloser: response.Body, left: mostAnswer}
	}
	return response, err
}

var (
	errTooLarge   = fmt.Errorf("its answer is larger than %d KiB: have the query give one number", mostAnswer>>10)
	errCredential = errors.New("its credential cannot be read: the file has to be there, with one line, and only its owner may read it (chmod 600)")
)

// bounded fails once more was read than is allowed.
type bounded struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// credential is the header that opens the Prometheus; empty: none.
func (s *Source) credential() (string, error) {
	switch c := s.config; {
	case c.TokenFile != "":
		token, err := secret(c.TokenFile)
		return "Bearer " + token, err
	case c.PasswordFile != "":
		password, err := secret(c.PasswordFile)
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.User+":"+password)), err
	}
	return "", nil
}

// secret reads a file of one line that only its owner can read.
func secret(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", errCredential
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return "", errCredential
	}
	raw, err := io.ReadAll(io.LimitReader(file, 64<<10))
	text := strings.TrimSpace(string(raw))
	if err != nil || text == "" || strings.ContainsAny(text, "\r\n") {
		return "", errCredential
	}
	return text, nil
}
