// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/audit/verify"
	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() {
	auditCommands = append(auditCommands, newAuditReceipt, newAuditCheckReceipt)
}

func newAuditReceipt() *cobra.Command {
	c := &caller{}
	var file string
	command := &cobra.Command{
		Use:   "receipt RECORD",
		Short: "Fetches the proof that a record stands in the evidence log",
		Long: `Fetches the proof that a record stands in the evidence log and that the witness has
confirmed it. RECORD is its number, as commands that act in production name it and as
"fairway audit search -o json" lists it. Whoever holds the receipt can prove the record
for good, with public keys only and without the log: see "fairway audit check-receipt".`,
		Example: "  fairway audit receipt 1234 --file receipt-1234.txt",
		Args:    cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			number, err := strconv.ParseUint(given[0], 10, 63)
			if err != nil {
				return cli.Usage("could not read record %q: it is a number", given[0])
			}
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/audit/receipts/" + strconv.FormatUint(number, 10)})
			if err != nil {
				return err
			}
			if file == "" {
				_, err = cmd.OutOrStdout().Write(answer.Body)
				return err
			}
			out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, os.ErrExist) {
				return cli.Usage("could not keep the receipt in %q: it is there already; name another file", file)
			}
			if err != nil {
				return cli.Usage("could not keep the receipt: %v", err)
			}
			_, written := out.Write(answer.Body)
			if err := errors.Join(written, out.Sync(), out.Close()); err != nil {
				_ = os.Remove(file)
				return fmt.Errorf("could not keep the receipt: %w", err)
			}
			return nil
		}),
	}
	c.flags(command)
	command.Flags().StringVar(&file, "file", "", "file that it is written to; one that is there is not written over (default: standard output)")
	return command
}

func newAuditCheckReceipt() *cobra.Command {
	var logKey, witnessKey string
	var counterKeys []string
	command := &cobra.Command{
		Use:   "check-receipt FILE",
		Short: "Checks a receipt of the evidence log with public keys only, without a server",
		Long: `Checks a receipt of the evidence log with the public keys of the log and of the
witness, without a server and without the log. It says which record the receipt proves,
and when the witness confirmed it.

Exit code 0: the receipt proves its record. 1: it does not, and the answer says why.
Without the witness's key, whoever holds the log's key could have made it up.`,
		Example: "  fairway audit check-receipt receipt-1234.txt --log-key log.key.pub --witness-key witness.key.pub",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return checkReceipt(cmd.OutOrStdout(), given[0], logKey, witnessKey, counterKeys)
		},
	}
	flags := command.Flags()
	flags.StringVar(&logKey, "log-key", "", "public key of the log: the key itself or its file (required)")
	flags.StringVar(&witnessKey, "witness-key", "", "public key of the witness: the key itself or its file")
	flags.StringArrayVar(&counterKeys, "counter-key", nil, "public key of a countersignature by other algorithms, such as log.key.sm2.pub; repeatable")
	if err := command.MarkFlagRequired("log-key"); err != nil {
		panic(err) // the flag is not there
	}
	return command
}

func checkReceipt(out io.Writer, file, logKey, witnessKey string, counterKeys []string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("could not read receipt %q: %w", file, err)
	}
	keys, err := publicKeys(logKey, witnessKey, counterKeys)
	if err != nil {
		return err
	}
	proved, err := verify.Receipt(text, keys)
	if err != nil {
		return fmt.Errorf("could not accept receipt %q: %w", file, err)
	}
	_, _ = fmt.Fprintf(out, "PROVED: record %d of the log %s, of %d records\n", proved.Index, proved.Log, proved.Size)
	if proved.Witnessed.IsZero() {
		_, _ = fmt.Fprintln(out, "note: no witness's key was given; whoever holds the log's key could have made this up")
	} else {
		_, _ = fmt.Fprintf(out, "confirmed by the witness at %s\n", proved.Witnessed.UTC().Format(time.RFC3339))
	}
	if proved.Record == nil {
		_, _ = fmt.Fprintf(out, "the receipt does not hold the record; its hash in the log is %s\n", hex.EncodeToString(proved.Leaf))
		return nil
	}
	_, _ = fmt.Fprintf(out, "it says: %s\n", cli.Plain(proved.Says))
	return nil
}
