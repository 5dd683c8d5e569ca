// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval

import (
	"fmt"
	"sync"

	"github.com/google/cel-go/cel"
)

// mostCost bounds what a policy's condition may cost to compute, in CEL's units.
const mostCost = 10000

var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(cel.Variable("act", cel.MapType(cel.StringType, cel.DynType)))
})

// Compile checks the condition of a policy. What is wrong comes back as one line.
func Compile(when string) error {
	_, err := program(when)
	return err
}

func program(when string) (cel.Program, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("could not prepare conditions: %w", err)
	}
	ast, issues := env.Compile(when)
	if issues.Err() != nil {
		return nil, fmt.Errorf("could not read the condition %q: %s", when, issues.Errors()[0].Message)
	}
	if !ast.OutputType().IsExactType(cel.BoolType) && !ast.OutputType().IsExactType(cel.DynType) {
		return nil, fmt.Errorf("could not use the condition %q: it is not true or false", when)
	}
	return env.Program(ast, cel.CostLimit(mostCost))
}

// Holds computes the condition of a policy over an act. Empty holds always. It
// fails where the condition cannot be computed; callers then do not agree.
func Holds(when string, f Facts) (bool, error) {
	if when == "" {
		return true, nil
	}
	p, err := program(when)
	if err != nil {
		return false, err
	}
	out, _, err := p.Eval(map[string]any{"act": map[string]any{
		"name": f.Act, "tenant": f.Scope.Tenant, "environment": f.Scope.Environment,
		"environmentClass": string(f.Scope.EnvironmentClass), "securityLevel": f.Scope.SecurityLevel, "application": f.Scope.Application,
		"changeClass": string(f.ChangeClass), "risk": string(f.Risk), "requester": f.Requester,
		"instances": int64(f.Instances), "clusters": int64(f.Clusters),
	}})
	if err != nil {
		return false, fmt.Errorf("could not compute the condition %q: %w", when, err)
	}
	held, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("could not use the condition %q: it is not true or false", when)
	}
	return held, nil
}
