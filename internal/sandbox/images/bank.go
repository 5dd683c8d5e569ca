// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package images

// bankVersion is the variable by which two images of the bank differ.
const bankVersion = "github.com/fairway-cloud/fairway/examples/bank/services/build.Version"

// Bank are the images of the example bank's services in one version, say "v1".
// Each is pushed as "<registry>/bank/<Name>:<Tag>".
func Bank(version string) []Spec {
	var out []Spec
	for _, name := range []string{"channel", "account", "ledger"} {
		out = append(out, Spec{
			Package: "./examples/bank/services/" + name,
			Name:    name,
			Tag:     version,
			Vars:    map[string]string{bankVersion: version},
		})
	}
	return out
}
