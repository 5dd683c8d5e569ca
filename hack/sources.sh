#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The Fairway Authors
#
# Prints the SHA-256 of every file that shapes bin/fairway, sorted by name. A
# bundle carries this list, so that its binary is used for exactly these files.
set -euo pipefail
cd "$(dirname "$0")/.."
folders=()
for folder in api cmd config internal web; do
  [[ -d $folder ]] && folders+=("$folder")
done
find go.mod go.sum "${folders[@]}" \( -name node_modules -o -path web/dist \) -prune -o \
  -type f ! -name '*_test.go' ! -name '*.md' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
