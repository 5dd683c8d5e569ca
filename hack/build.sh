#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The Fairway Authors
#
# Makes the binary named by the first argument: from the bundle when the
# bundle's sources are those of this tree, else with Go.
#
#   hack/build.sh bin/fairway VERSION
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1
version=$2
mkdir -p "$(dirname "$target")"

if [[ -x bundle/bin/fairway && -e bundle/sources.sha256 ]]; then
  if changed=$(diff <(hack/sources.sh) bundle/sources.sha256); then
    echo "taking $target from the bundle"
    # A running binary cannot be written over, but it can be replaced.
    cp bundle/bin/fairway "$target.new"
    mv -f "$target.new" "$target"
    exit 0
  fi
  echo "the sources differ from those of the bundle, so $target has to be built with Go:"
  awk '/^[<>]/ {print "  " $3}' <<<"$changed" | sort -u | head -n 10
fi

if ! command -v go >/dev/null; then
  echo "could not build $target: Go is not installed, and no bundle of these sources is unpacked here. Install Go 1.26, or take a bundle that 'make bundle' wrote on a machine with Go." >&2
  exit 1
fi
echo "building $target"
go build -trimpath -ldflags "-s -w -X main.version=$version" -o "$target" ./cmd/fairway
