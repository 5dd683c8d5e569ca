// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package launch

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/fairway-cloud/fairway/internal/sandbox/control"
)

// Progress shows how long steps go: a line that changes on a terminal, one
// plain line per phase elsewhere. A nil Progress shows nothing.
type Progress struct {
	out      io.Writer
	terminal bool

	mu      sync.Mutex
	began   map[string]time.Time
	printed map[string]bool
	said    time.Time // when a plain "still" line was last printed
	drawn   bool      // a changing line is on the screen
	frame   int
}

// NewProgress shows on w.
func NewProgress(w io.Writer) *Progress {
	p := &Progress{out: w, began: map[string]time.Time{}, printed: map[string]bool{}, said: time.Now()}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.terminal = true
	}
	return p
}

// Line prints one line.
func (p *Progress) Line(format string, args ...any) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line(fmt.Sprintf(format, args...))
}

// line needs p.mu.
func (p *Progress) line(text string) {
	if p.drawn {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
	_, _ = fmt.Fprintln(p.out, text)
}

// Begin and End frame a step of the command itself.
func (p *Progress) Begin(step string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began[step] = time.Now()
	p.draw(step, "", 0, 0)
}

// End says that a step is done and how long it took.
func (p *Progress) End(step string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line(done(step, time.Since(p.began[step]).Seconds()))
}

// Writer prints lines of others.
func (p *Progress) Writer() io.Writer {
	if p == nil {
		return nil
	}
	return writer{p}
}

type writer struct{ progress *Progress }

func (w writer) Write(content []byte) (int, error) {
	w.progress.Line("  %s", strings.TrimRight(string(content), "\n"))
	return len(content), nil
}

// Phases shows the phases of a sandbox that comes up.
func (p *Progress) Phases(phases []control.Phase) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, phase := range phases {
		key := phase.Name + phase.Started.String()
		switch {
		case phase.State == control.Starting:
			p.draw(phase.Name, phase.Message, phase.Done, phase.Total)
		case phase.State == control.Ready && !p.printed[key]:
			p.printed[key] = true
			p.line(done(phase.Name, phase.Seconds))
		}
	}
}

func done(name string, seconds float64) string {
	return fmt.Sprintf("  ✓ %-20s %6.1f s", name, seconds)
}

// draw needs p.mu. Without a terminal it speaks up every ten seconds.
func (p *Progress) draw(name, message string, done, total int) {
	text := name
	if total > 0 {
		const width = 20
		filled := width * done / total
		text += fmt.Sprintf(" [%s%s] %d/%d", strings.Repeat("█", filled), strings.Repeat("░", width-filled), done, total)
	}
	if message != "" {
		text += ": " + message
	}
	if !p.terminal {
		if time.Since(p.said) > 10*time.Second {
			p.said = time.Now()
			_, _ = fmt.Fprintln(p.out, "  … "+text)
		}
		return
	}
	const spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
	frames := []rune(spinner)
	p.frame++
	if file, ok := p.out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && len([]rune(text)) > width-6 && width > 10 {
			text = string([]rune(text)[:width-6])
		}
	}
	_, _ = fmt.Fprintf(p.out, "\r\x1b[K  %c %s", frames[p.frame%len(frames)], text)
	p.drawn = true
}
