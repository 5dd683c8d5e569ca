// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/verify"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

func init() { auditCommands = append(auditCommands, newAuditVerifyCommand) }

// verifyOptions are the flags of "fairway audit verify".
type verifyOptions struct {
	dir, logKey, witnessKey, witnessDir, copy string
	checkpoints, counterKeys                  []string
	from                                      int
	output                                    string
}

func newAuditVerifyCommand() *cobra.Command {
	o := verifyOptions{}
	command := &cobra.Command{
		Use:   "verify",
		Short: "Proves that an evidence log is whole and as it was written, or names the first record that is wrong",
		Long: `Verifies an evidence log from its files and public keys alone, without a server:
every hash is computed again, every record read, every source counted, every year
chained to the one before, and what the witness confirmed is compared.

Exit code 0: the log is whole. 1: it is not, or it could not be read; the first
wrong record is named. Without the witness's key, whoever holds the log's key could
have rewritten everything, and the answer says so.`,
		Example: `  fairway audit verify --dir /srv/evidence-copy --log-key log.key.pub --witness-key witness.key.pub
  fairway audit verify --dir evidence --witness-key witness.key.pub --witness-dir witness --copy /mnt/second/evidence`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runVerify(cmd.OutOrStdout(), o) },
	}
	flags := command.Flags()
	flags.StringVar(&o.dir, "dir", "", "folder of the log, or of a copy (required)")
	flags.StringVar(&o.logKey, "log-key", "", "public key of the log: the key itself or its file (default <dir>/log.key.pub, which proves less: bring your own)")
	flags.StringArrayVar(&o.counterKeys, "counter-key", nil, "public key of a countersignature by other algorithms, such as log.key.sm2.pub; repeatable")
	flags.StringVar(&o.witnessKey, "witness-key", "", "public key of the witness: the key itself or its file")
	flags.StringVar(&o.witnessDir, "witness-dir", "", "the witness's own folder, or a copy of its checkpoints")
	flags.StringArrayVar(&o.checkpoints, "checkpoint", nil, "file with a countersigned checkpoint that was kept elsewhere; repeatable")
	flags.StringVar(&o.copy, "copy", "", "second copy of the log, to say which record differs")
	flags.IntVar(&o.from, "from-year", 0, "first year that is expected; earlier ones were archived (default: the log is there from its beginning)")
	flags.StringVarP(&o.output, "output", "o", "", "json: the report as JSON")
	if err := command.MarkFlagRequired("dir"); err != nil {
		panic(err)
	}
	return command
}

func runVerify(out io.Writer, o verifyOptions) error {
	if o.output != "" && o.output != "json" {
		return &exitError{code: 2, err: fmt.Errorf("could not write output %q: the only one is json", o.output)}
	}
	options := verify.Options{Dir: o.dir, WitnessDir: o.witnessDir, Copy: o.copy, From: o.from}
	own := filepath.Join(o.dir, ledger.KeyFile+sealing.PublicSuffix)
	if o.logKey == "" {
		o.logKey = own
	}
	keys, err := publicKeys(o.logKey, o.witnessKey, o.counterKeys)
	if err != nil {
		return err
	}
	options.LogKey, options.WitnessKey, options.CounterKeys = keys.Log, keys.Witness, keys.Counter
	for _, file := range o.checkpoints {
		raw, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("could not read checkpoint %q: %w", file, err)
		}
		options.Checkpoints = append(options.Checkpoints, raw)
	}
	report, err := verify.Verify(options)
	if err != nil {
		return err
	}
	if o.logKey == own {
		report.Notes = append(report.Notes, "the log's public key was taken from the log's own folder; whoever replaced both would not be seen")
	}
	if o.output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(report); err != nil {
			return err
		}
	} else {
		printReport(out, report)
	}
	if len(report.Faults) > 0 {
		return &exitError{code: 1}
	}
	return nil
}

// publicKeys reads the public keys that were given: the keys themselves or their files.
func publicKeys(logKey, witnessKey string, counterKeys []string) (keys verify.Keys, err error) {
	if keys.Log, err = sealing.PublicKey(logKey); err != nil {
		return keys, err
	}
	for _, argument := range counterKeys {
		key, err := sealing.PublicKey(argument)
		if err != nil {
			return keys, err
		}
		keys.Counter = append(keys.Counter, key)
	}
	if witnessKey != "" {
		keys.Witness, err = sealing.PublicKey(witnessKey)
	}
	return keys, err
}

func printReport(out io.Writer, r *verify.Report) {
	for _, y := range r.Years {
		confirmed := "no witness"
		if y.Confirmed > 0 {
			confirmed = fmt.Sprintf("%d confirmed by the witness", y.Confirmed)
		}
		fmt.Fprintf(out, "%d: %d records, %s\n", y.Year, y.Records, confirmed)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Sources)) {
		fmt.Fprintf(out, "source %s: %d records\n", name, r.Sources[name])
	}
	if r.Pending > 0 {
		fmt.Fprintf(out, "%d records are durable and wait for their checkpoint\n", r.Pending)
	}
	if r.Open > 0 {
		fmt.Fprintf(out, "%d acts have no outcome yet: they are under way, or the next start of the server marks them unknown\n", r.Open)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(out, "note: %s\n", n)
	}
	if len(r.Faults) == 0 {
		fmt.Fprintf(out, "VERIFIED: all %d records are as they were written\n", r.Records)
		return
	}
	fmt.Fprintf(out, "NOT AS WRITTEN. The first wrong record:\n  %s\n", r.Faults[0])
	if len(r.Faults) > 1 {
		fmt.Fprintln(out, "and also:")
	}
	for i, f := range r.Faults[1:] {
		if i == 10 {
			fmt.Fprintf(out, "  and %d more\n", len(r.Faults)-1-i)
			return
		}
		fmt.Fprintf(out, "  %s\n", f)
	}
}
