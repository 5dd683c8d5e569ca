// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package bank

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/witness"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
	"github.com/fairway-cloud/fairway/internal/sandbox/daemon"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

const witnessProcess = "witness"

// startWitness runs the witness of the evidence log, a process with a folder and a
// key of its own, and returns the flags by which the server finds it. In a bank it
// stands where those who run the server have no say.
func startWitness(ctx context.Context, s *daemon.Sandbox, data string) ([]string, error) {
	evidence, dir := filepath.Join(data, "evidence"), s.Options.Folder.Path("witness")
	if _, err := ledger.EnsureKey(evidence); err != nil {
		return nil, err
	}
	if _, err := witness.EnsureKey(dir, "witness-sandbox"); err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", s.Plan.WitnessPort)
	err := s.Supervise(supervise.Process{
		Name: witnessProcess,
		Argv: []string{
			s.Options.Self, "witness", "--dir=" + dir, "--listen=" + address,
			"--log-key=" + filepath.Join(evidence, ledger.KeyFile+sealing.PublicSuffix),
		},
		Env:     []string{"GOMEMLIMIT=128MiB"},
		LogFile: s.LogFile(witnessProcess),
		Ready:   supervise.Answers("http://"+address+"/healthz", nil),
	})
	if err != nil {
		return nil, err
	}
	return []string{
		"--evidence-spool=" + s.Options.Folder.Path("evidence-spool"), "--evidence-copy=" + s.Options.Folder.Path("evidence-copy"),
		"--witness=http://" + address, "--witness-key=" + filepath.Join(dir, witness.KeyFile+sealing.PublicSuffix),
	}, s.Await(ctx, witnessProcess)
}
