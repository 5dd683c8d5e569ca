// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// Get lists objects, or reads those that are named.
type Get struct {
	// Selection says which; Everywhere is the wish for all namespaces.
	Selection
	Everywhere bool
	// Application keeps what belongs to it.
	Application string
	// Output is how objects are shown, NoHeadings leaves the headings of tables out.
	Output     Output
	NoHeadings bool
	// Now is the time from which ages are counted.
	Now time.Time
	// Out takes the data, Progress what is said beside it.
	Out, Progress io.Writer
}

// noun is a kind, with names or without.
type noun struct {
	kind  Kind
	names []string
}

// nouns reads "KIND[,KIND…]", "KIND NAME…" and "KIND/NAME…".
func nouns(kinds Kinds, args []string) ([]noun, error) {
	var found []noun
	if strings.Contains(args[0], "/") {
		for _, arg := range args {
			word, name, ok := strings.Cut(arg, "/")
			if !ok || word == "" || name == "" {
				return nil, Usage("could not read %q: write KIND/NAME throughout, or KIND NAME…", arg)
			}
			k, err := kinds.Find(word)
			if err != nil {
				return nil, err
			}
			found = append(found, noun{kind: k, names: []string{name}})
		}
		return found, nil
	}
	words := strings.Split(args[0], ",")
	if len(words) > 1 && len(args) > 1 {
		return nil, Usage("could not tell which kind the names belong to: %q are several kinds", args[0])
	}
	for _, word := range words {
		k, err := kinds.Find(word)
		if err != nil {
			return nil, err
		}
		found = append(found, noun{kind: k, names: args[1:]})
	}
	return found, nil
}

// Run shows what the arguments name.
func (g Get) Run(ctx context.Context, c *Client, args []string) error {
	kinds, err := c.Kinds(ctx)
	if err != nil {
		return err
	}
	asked, err := nouns(kinds, args)
	if err != nil {
		return err
	}
	if len(asked) > 1 && g.Continue != "" {
		return Usage("could not go on with --continue: it belongs to one kind")
	}
	all := []Object{}
	for i, n := range asked {
		objects, err := g.find(ctx, c, n)
		if err != nil {
			return err
		}
		if g.Output == JSON || g.Output == YAML {
			all = append(all, objects...)
			continue
		}
		if i > 0 && len(objects) > 0 && g.Output != Name {
			_, _ = fmt.Fprintln(g.Out)
		}
		if err := g.show(n.kind, objects); err != nil {
			return err
		}
	}
	if g.Output != JSON && g.Output != YAML {
		return nil
	}
	view := View{Output: g.Output}
	if len(asked) == 1 && len(asked[0].names) == 1 && len(all) == 1 {
		return view.ShowOne(g.Out, all[0])
	}
	return view.ShowList(g.Out, all)
}

func (g Get) show(k Kind, objects []Object) error {
	if len(objects) == 0 && g.Output != Name {
		where := ""
		if k.Namespaced && g.Namespace != "" {
			where = fmt.Sprintf(" in %q", g.Namespace)
		}
		_, err := fmt.Fprintf(g.Progress, "no %s found%s\n", k.Plural, where)
		return err
	}
	return View{Kind: k, Output: g.Output, Namespaces: g.Namespace == "", NoHeadings: g.NoHeadings, Now: g.Now}.ShowList(g.Out, objects)
}

func (g Get) find(ctx context.Context, c *Client, n noun) ([]Object, error) {
	if len(n.names) == 0 {
		s := g.Selection
		s.SortBy = sortKeys(s.SortBy, n.kind)
		if g.Application != "" {
			field := "spec.application"
			if n.kind.instance() {
				field = "application"
			}
			s.FieldSelector = strings.TrimPrefix(s.FieldSelector+","+field+"="+g.Application, ",")
		}
		objects, more, err := c.Page(ctx, n.kind, s)
		if err == nil && more.Continue != "" {
			_, err = fmt.Fprintf(g.Progress, "%d more %s; go on with: --continue %s\n", more.Remaining, n.kind.Plural, more.Continue)
		}
		return objects, err
	}
	var objects []Object
	for _, name := range n.names {
		if n.kind.instance() {
			i, err := c.FindInstance(ctx, g.Namespace, g.Application, name)
			if err != nil {
				return nil, err
			}
			objects = append(objects, i.Row)
			continue
		}
		o, err := c.Get(ctx, n.kind, g.Namespace, name)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

var (
	entryOf = regexp.MustCompile(`\[\?\(@\.(?:type|name)=="([A-Za-z0-9_-]+)"\)\]`)
	braces  = strings.NewReplacer("{", "", "}", "")
)

// sortKeys turns headings and kubectl's way of writing paths into the API's.
func sortKeys(given string, k Kind) string {
	if given == "" {
		return ""
	}
	var keys []string
	for part := range strings.SplitSeq(braces.Replace(given), ",") {
		key, down := strings.CutPrefix(strings.TrimSpace(part), "-")
		if strings.EqualFold(key, "name") && !k.instance() {
			key = "metadata.name"
		}
		for _, column := range k.Columns {
			if strings.EqualFold(column.Name, key) {
				key = entryOf.ReplaceAllString(column.JSONPath, ".$1")
				// An age grows as the time that it counts from shrinks.
				down = down != (column.Type == "date")
			}
		}
		key = strings.TrimPrefix(key, ".")
		if down {
			key = "-" + key
		}
		keys = append(keys, key)
	}
	return strings.Join(keys, ",")
}
