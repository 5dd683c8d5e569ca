// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package bank

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairway-cloud/fairway/internal/cli/config"
	"github.com/fairway-cloud/fairway/internal/sandbox/daemon"
	"github.com/fairway-cloud/fairway/internal/sandbox/manifests"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// account is a ready account of one of the bank's people.
type account struct {
	login, person, name, does string
}

// accountsFolder holds one file per account with its generated password, mode 0600.
const accountsFolder = "accounts"

func passwordFile(s *daemon.Sandbox, login string) string {
	return s.Options.Folder.Path(filepath.Join(accountsFolder, login))
}

// accountsOf are the people of the world who log in at Fairway itself.
func accountsOf(t *topology.Sandbox) ([]account, error) {
	root, err := manifests.Root()
	if err != nil {
		return nil, err
	}
	var out []account
	for _, folder := range t.Spec.Fairway.World {
		objects, err := manifests.Load(filepath.Join(root, folder))
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			if o.GetKind() != "Person" {
				continue
			}
			logins, _, err := unstructured.NestedSlice(o.Object, "spec", "logins")
			if err != nil {
				return nil, fmt.Errorf("could not read the logins of %q: %w", o.GetName(), err)
			}
			for _, l := range logins {
				entry, _ := l.(map[string]any)
				login, _ := entry["login"].(string)
				if entry["provider"] == "local" && login != "" {
					out = append(out, account{login: login, person: o.GetName(), name: text(o, "displayName"), does: does(o)})
				}
			}
		}
	}
	return out, nil
}

func text(o *unstructured.Unstructured, field string) string {
	s, _, _ := unstructured.NestedString(o.Object, "spec", field)
	return s
}

// does says what somebody is there for: his duty, or his groups.
func does(o *unstructured.Unstructured) string {
	if duty := text(o, "duty"); duty != "" && duty != "None" {
		return strings.ToLower(duty) + " administrator"
	}
	groups, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "groups")
	return strings.Join(groups, ", ")
}

// openAccounts opens an account for each of the bank's people, with a generated
// password in a file that only its owner reads, and lists them in accounts/README.
func openAccounts(ctx context.Context, s *daemon.Sandbox, t *topology.Sandbox) error {
	accounts, err := accountsOf(t)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Options.Folder.Path(accountsFolder), 0o700); err != nil {
		return fmt.Errorf("could not make the folder of accounts: %w", err)
	}
	list := &strings.Builder{}
	fmt.Fprintf(list, "One account for each part in a change. The file of an account's name holds its password,\n"+
		"and the client file knows it, so that the account logs in by itself:\n\n  fairway whoami --context LOGIN\n\n")
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(4)
	for _, a := range accounts {
		fmt.Fprintf(list, "%-12s %-8s %s  %s\n", a.login, a.person, a.name, a.does)
		work.Go(func() error { return openAccount(workCtx, s, a) })
	}
	if err := work.Wait(); err != nil {
		return err
	}
	if err := os.WriteFile(s.Options.Folder.Path(filepath.Join(accountsFolder, "README")), []byte(list.String()), 0o600); err != nil {
		return fmt.Errorf("could not list the accounts: %w", err)
	}
	return makeReady(s, accounts)
}

// openAccount opens one account, unless its password is there already. The file is
// written before the password is set, and named after: whoever is interrupted begins anew.
func openAccount(ctx context.Context, s *daemon.Sandbox, a account) error {
	file := passwordFile(s, a.login)
	if _, err := os.Stat(file); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	invitation, err := fairway(ctx, s, "identity", "account", "add", a.login, "--person", a.person, "-q")
	if err != nil {
		// An earlier attempt got this far.
		var again error
		if invitation, again = fairway(ctx, s, "identity", "account", "invite", a.login, "-q"); again != nil {
			return errors.Join(err, again)
		}
	}
	var random [18]byte
	_, _ = rand.Read(random[:]) // never fails, as of Go 1.24
	password := base64.RawURLEncoding.EncodeToString(random[:])
	draft := file + ".new"
	if err := os.WriteFile(draft, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("could not keep the password of %q: %w", a.login, err)
	}
	if _, err := fairwayWith(ctx, s, invitation, "password", "--invitation-file", "-", "--new-password-file", draft); err != nil {
		return err
	}
	return os.Rename(draft, file)
}

// makeReady lists the accounts in the client file as ones that log in by
// themselves: --context LOGIN acts as one of the bank's people.
func makeReady(s *daemon.Sandbox, accounts []account) error {
	file := clientFile(s)
	client, err := config.Load(file)
	if err != nil {
		return err
	}
	current := client.Current
	for _, a := range accounts {
		client = client.With(config.Context{
			Name: a.login, Server: client.Server, CAFile: client.CAFile, TokenFile: filepath.Join(filepath.Dir(file), "tokens", a.login+".token"),
			Provider: "local", User: a.login, PasswordFile: passwordFile(s, a.login),
		})
	}
	client.Current = current
	return config.Write(file, client)
}
