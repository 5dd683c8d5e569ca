// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"github.com/fairway-cloud/fairway/internal/platform/outbox"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// MailConfig is the bank's mail server.
type MailConfig struct {
	// Server as host:port, with STARTTLS.
	Server string `json:"server"`
	// CAFile, PEM, that its certificate is checked against. Default: the machine's.
	CAFile string `json:"caFile,omitempty"`
	// From is the sender, such as Fairway <fairway@bank.example>.
	From string `json:"from"`
	// User and PasswordFile log in at the server. Default: no login.
	User         string `json:"user,omitempty"`
	PasswordFile string `json:"passwordFile,omitempty"`
}

// Mail sends over one mail server, which has to speak TLS.
type Mail struct {
	server, host string
	from         mail.Address
	user         string
	password     string
	sealer       *sealing.Dialer
	clock        clock.PassiveClock
}

// mailWithin bounds the sending of one mail.
const mailWithin = 30 * time.Second

func (c MailConfig) open(folder string, now clock.PassiveClock) (*Mail, error) {
	host, _, err := net.SplitHostPort(c.Server)
	if err != nil || host == "" {
		return nil, fmt.Errorf("could not read the server %q: write host:port", c.Server)
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("could not read the sender %q: write Fairway <fairway@bank.example>", c.From)
	}
	m := &Mail{server: c.Server, host: host, from: *from, user: c.User, clock: now}
	if (c.User == "") != (c.PasswordFile == "") {
		return nil, errors.New("user and passwordFile belong together")
	}
	if c.PasswordFile != "" {
		if m.password, err = readPassword(beside(folder, c.PasswordFile)); err != nil {
			return nil, err
		}
	}
	authorities := c.CAFile
	if authorities != "" {
		authorities = beside(folder, authorities)
	}
	if m.sealer, err = (sealing.Client{CAFile: authorities, Name: host}).Open(); err != nil {
		return nil, fmt.Errorf("could not reach the mail server: %w", err)
	}
	return m, nil
}

func readPassword(path string) (string, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return "", fmt.Errorf("could not read the mail password: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("could not read the mail password: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("could not use password file %q: others can read it: chmod 600", path)
	}
	raw, err := io.ReadAll(io.LimitReader(file, 1024))
	return strings.TrimSpace(string(raw)), err
}

// letter is one mail to one person.
type letter struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// Send sends one letter. The id becomes its Message-Id, so that a letter that came
// twice shows as the same.
func (m *Mail) Send(ctx context.Context, id string, l letter) error {
	to, err := plainAddress(l.To)
	if err != nil {
		return fmt.Errorf("%w: %w", err, outbox.ErrHopeless)
	}
	ctx, cancel := context.WithTimeout(ctx, mailWithin)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.server)
	if err != nil {
		return fmt.Errorf("could not reach the mail server %s: %w", m.server, err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return fmt.Errorf("could not bound the mail: %w", err)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := m.speak(ctx, conn, to, m.compose(id, to, l)); err != nil {
		return fmt.Errorf("could not send a mail over %s: %w", m.server, err)
	}
	return nil
}

// speak is the conversation with the server. It never goes on without TLS.
func (m *Mail) speak(ctx context.Context, conn net.Conn, to string, message []byte) error {
	c, err := m.sealed(ctx, bounded{conn, io.LimitReader(conn, 1<<20)})
	if err != nil {
		return err
	}
	defer c.Close()
	if m.user != "" {
		if err := c.Auth(sealedAuth{smtp.PlainAuth("", m.user, m.password, m.host)}); err != nil {
			// The server's words may repeat what was sent.
			return errors.New("the server does not take user and password")
		}
	}
	if err := c.Mail(m.from.Address); err != nil {
		return answered(err)
	}
	if err := c.Rcpt(to); err != nil {
		return answered(err)
	}
	w, err := c.Data()
	if err != nil {
		return answered(err)
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return answered(err)
	}
	_ = c.Quit() // the mail is taken; how the server says goodbye does not matter
	return nil
}

// sealed has the server go on sealed (RFC 3207). What it said before does not count.
func (m *Mail) sealed(ctx context.Context, conn net.Conn) (*smtp.Client, error) {
	c, err := smtp.NewClient(conn, m.host)
	if err != nil {
		return nil, err
	}
	if err := startTLS(c); err != nil {
		return nil, fmt.Errorf("the server does not speak TLS as it should: %w", err)
	}
	sealed, err := m.sealer.Over(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("the server does not speak TLS as it should: %w", err)
	}
	// The server greets once, before; the client of the library waits for it again.
	if c, err = smtp.NewClient(bounded{sealed, io.MultiReader(strings.NewReader("220 sealed\r\n"), sealed)}, m.host); err != nil {
		return nil, err
	}
	if err := c.Hello(helo); err != nil {
		return nil, fmt.Errorf("the server does not speak TLS as it should: %w", err)
	}
	return c, nil
}

// helo is how we introduce ourselves, as the library does.
const helo = "localhost"

// startTLS asks for it, and takes no other answer than yes.
func startTLS(c *smtp.Client) error {
	if err := c.Hello(helo); err != nil {
		return err
	}
	id, err := c.Text.Cmd("STARTTLS")
	if err != nil {
		return err
	}
	c.Text.StartResponse(id)
	defer c.Text.EndResponse(id)
	_, _, err = c.Text.ReadResponse(220)
	return err
}

// sealedAuth logs in over a connection that is sealed, which the library cannot see.
type sealedAuth struct{ smtp.Auth }

// Start implements smtp.Auth.
func (a sealedAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	known := *server
	known.TLS = true
	return a.Auth.Start(&known)
}

// bounded reads no more of a server than a conversation needs.
type bounded struct {
	net.Conn
	from io.Reader
}

func (b bounded) Read(p []byte) (int, error) { return b.from.Read(p) }

// answered keeps the server's code and leaves its words out, which may hold the
// address. What the server will never take (no such mailbox) is hopeless.
func answered(err error) error {
	var said *textproto.Error
	switch {
	case !errors.As(err, &said):
		return err
	case said.Code >= 550 && said.Code <= 559:
		return fmt.Errorf("the server answered %d: %w", said.Code, outbox.ErrHopeless)
	}
	return fmt.Errorf("the server answered %d", said.Code)
}

// compose writes the mail. Header fields hold no line feed: addresses were parsed,
// and the subject is encoded.
func (m *Mail) compose(id, to string, l letter) []byte {
	sum := sha256.Sum256([]byte(id))
	_, domain, _ := strings.Cut(m.from.Address, "@")
	var b bytes.Buffer
	for _, field := range [][2]string{
		{"From", m.from.String()}, {"To", (&mail.Address{Address: to}).String()}, {"Subject", mime.BEncoding.Encode("utf-8", line(l.Subject))},
		{"Date", m.clock.Now().UTC().Format(time.RFC1123Z)}, {"Message-Id", "<" + hex.EncodeToString(sum[:16]) + "@" + domain + ">"},
		{"Auto-Submitted", "auto-generated"}, {"MIME-Version", "1.0"}, {"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "base64"},
	} {
		b.WriteString(field[0] + ": " + field[1] + "\r\n")
	}
	b.WriteString("\r\n")
	encoded := base64.StdEncoding.EncodeToString([]byte(l.Text))
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + "\r\n")
		encoded = encoded[76:]
	}
	b.WriteString(encoded + "\r\n")
	return b.Bytes()
}
