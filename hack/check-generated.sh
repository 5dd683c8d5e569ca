#!/usr/bin/env bash
# Fails when a generated file differs from what `make generate` writes.
set -euo pipefail
cd "$(dirname "$0")/.."
before=$(git status --porcelain; git diff | sha256sum)
make --no-print-directory generate
after=$(git status --porcelain; git diff | sha256sum)
if [ "$before" != "$after" ]; then
	git --no-pager diff --stat
	echo "generated files are stale: run 'make generate' and commit the result" >&2
	exit 1
fi
