// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package internal

import (
	_ "github.com/coreos/go-oidc/v3/oidc"
	_ "github.com/emmansun/gmsm/sm2"
	_ "github.com/emmansun/gmsm/sm3"
	_ "github.com/emmansun/gmsm/smx509"
	_ "github.com/go-ldap/ldap/v3"
	_ "github.com/google/cel-go/cel"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/pquerna/otp/totp"
	_ "github.com/transparency-dev/formats/log"
	_ "github.com/transparency-dev/formats/note"
	_ "github.com/transparency-dev/merkle/proof"
	_ "github.com/transparency-dev/tessera"
	_ "github.com/transparency-dev/tessera/client"
	_ "github.com/transparency-dev/tessera/fsck"
	_ "github.com/transparency-dev/tessera/storage/posix"
	_ "github.com/zitadel/oidc/v3/example/server/storage"
	_ "github.com/zitadel/oidc/v3/pkg/op"
	_ "golang.org/x/crypto/argon2"
	_ "golang.org/x/mod/sumdb/note"
	_ "golang.org/x/oauth2"
)
