// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package docs

import (
	"fmt"
	"strconv"
	"strings"
)

// Block is one fenced block of a page.
type Block struct {
	// Line of the page on which its text begins, counted from 1.
	Line int
	// Language is the first word after the fence, such as "sh". Empty: output.
	Language string
	// Run says that the block is to be run.
	Run bool
	// Exit is the code that it must then end with.
	Exit int
	// Text between the fences.
	Text string
}

// Blocks returns the fenced blocks of a page of Markdown, in their order.
func Blocks(page string) ([]Block, error) {
	var blocks []Block
	var open *Block
	var text []string
	for i, line := range strings.Split(page, "\n") {
		mark, fence := strings.CutPrefix(line, "```")
		switch {
		case !fence && open != nil:
			text = append(text, line)
		case !fence:
		case open != nil:
			open.Text = strings.Join(text, "\n")
			blocks = append(blocks, *open)
			open, text = nil, nil
		default:
			block, err := heading(strings.Fields(mark))
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			block.Line = i + 2
			open = &block
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block is never closed", open.Line-1)
	}
	return blocks, nil
}

// heading reads the words after a fence.
func heading(words []string) (Block, error) {
	b := Block{}
	if len(words) > 0 {
		b.Language = words[0]
	}
	for _, word := range words[min(1, len(words)):] {
		code, exit := strings.CutPrefix(word, "exit=")
		switch {
		case word == "run":
			b.Run = true
		case exit:
			number, err := strconv.Atoi(code)
			if err != nil || number < 0 || number > 255 {
				return b, fmt.Errorf("could not read %q: write exit=1", word)
			}
			b.Exit = number
		default:
			return b, fmt.Errorf("could not understand %q after the fence: run and exit=N are known", word)
		}
	}
	return b, nil
}

// Commands returns the command lines of a shell text that call the program, word
// by word. Continued lines are joined; what follows a pipe or a semicolon is left out.
func Commands(text, program string) [][]string {
	var commands [][]string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if words := shellWords(line); len(words) > 0 && words[0] == program {
			commands = append(commands, words[1:])
		}
	}
	return commands
}

// shellWords splits a line at blanks outside quotes and ends at what begins
// another command or a comment. It is enough for the lines of a manual.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	started := false
	end := func() {
		if started {
			words = append(words, word.String())
			word.Reset()
			started = false
		}
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, started = r, true
		case r == '$' || r == '=':
			word.WriteRune(r)
			started = true
		case r == '(':
			// The command within $( … ) begins anew.
			words, started = nil, false
			word.Reset()
		case strings.ContainsRune("|;)>&", r), r == '#' && !started:
			end()
			return words
		case r == ' ' || r == '\t' || r == '\n':
			end()
		default:
			word.WriteRune(r)
			started = true
		}
	}
	end()
	return words
}
