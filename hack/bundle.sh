#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The Fairway Authors
#
# Writes dist/fairway-bundle.tar.gz: the tree of HEAD and, in its folder
# bundle/, all that `make up` would else fetch or build. It needs Debian 12,
# Go and the network; the machine that unpacks the bundle needs none of them
# but Debian 12. See docs/howto/offline.md.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s  %s\n' "$(date -u +%H:%M:%S)" "$*"; }
fail() { echo "could not write the bundle: $*" >&2; exit 1; }
command -v go >/dev/null || fail "Go is not installed"
command -v apt-get >/dev/null || fail "this is no Debian system, so its packages cannot be collected"
git rev-parse -q --verify HEAD >/dev/null || fail "this is no git checkout: unpack and edit a bundle's tree elsewhere, and bundle from a clone"

version=$(git describe --tags --always)
[[ -z $(git status --porcelain --untracked-files=no) ]] ||
  say "note: the bundle holds the last commit, $version; changes that are not committed stay out"

dist=$PWD/dist
mkdir -p "$dist"
scratch=$(mktemp -d "$dist/.bundle-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
tree=$scratch/fairway-$version
bundle=$tree/bundle

say "tree of $version"
mkdir -p "$tree"
git archive HEAD | tar -x -C "$tree"
mkdir -p "$bundle/bin" "$bundle/debs"

say "Debian packages"
# What the wanted packages need, less what the smallest Debian 12 holds: its
# required packages with all they need. `make` is among them: without it
# nobody can type `make up`.
empty=$scratch/empty
: >"$empty"
closure() {
  LC_ALL=C apt-get -s -o "Dir::State::status=$empty" -o APT::Install-Recommends=false install "$@" |
    sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' | LC_ALL=C sort
}
mapfile -t wanted < <(hack/install-deps.sh --list)
mapfile -t required < <(apt-cache dumpavail | awk '/^Package:/ {p = $2} /^Priority: required$/ || /^Essential: yes$/ {print p}' | sort -u)
[[ ${#required[@]} -gt 0 ]] || fail "apt knows no packages: run apt-get update first"
closure make "${wanted[@]}" >"$scratch/needed"
closure "${required[@]}" >"$scratch/there"
mapfile -t debs < <(LC_ALL=C comm -23 "$scratch/needed" "$scratch/there")
[[ ${#debs[@]} -gt 0 ]] || fail "apt could not tell what ${wanted[*]} need: run apt-get update first"
(cd "$bundle/debs" && apt-get -q -o APT::Sandbox::User=root download "${debs[@]}" >"$scratch/download.log" 2>&1) ||
  { tail -n 5 "$scratch/download.log" >&2; fail "apt could not download every package"; }
# apt's index of a folder of packages.
(cd "$bundle/debs" && for deb in *.deb; do
  dpkg-deb -f "$deb"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d' ' -f1)"
done >Packages)

say "bin/fairway"
(cd "$tree" && go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$version" -o bundle/bin/fairway ./cmd/fairway)
"$tree/hack/sources.sh" >"$bundle/sources.sha256"

say "Kubernetes and the images"
(cd "$tree" && go run ./hack/bundle "$bundle")

printf '%s\n' "$version" >"$bundle/version"
(cd "$bundle" && find . -type f ! -name SHA256SUMS -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >"$scratch/sums" && mv "$scratch/sums" SHA256SUMS)

say "packing"
tar -C "$scratch" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" \
  -cf - "fairway-$version" | gzip -n -5 >"$scratch/bundle.tar.gz"
mv "$scratch/bundle.tar.gz" "$dist/fairway-bundle.tar.gz"
say "$(du -h "$dist/fairway-bundle.tar.gz" | cut -f1)  dist/fairway-bundle.tar.gz, ${#debs[@]} Debian packages"
