#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The Fairway Authors
#
# Installs the Debian packages that the sandbox and the tests need, when they
# are missing: from bundle/debs in an unpacked bundle, else from the machine's
# own package sources. Without root or apt it says what is missing and what is
# left out, and succeeds: the sandbox then runs with simulated hosts only.
#
#   hack/install-deps.sh          installs
#   hack/install-deps.sh --list   prints the packages, one per line
set -euo pipefail
cd "$(dirname "$0")/.."

# package:command or file that shows it is there
wanted=(
  containerd:containerd
  runc:runc
  containernetworking-plugins:/usr/lib/cni/ptp
  iproute2:ip
  nftables:nft
  util-linux:nsenter
  haproxy:haproxy
  prometheus:prometheus
  postgresql:/usr/lib/postgresql
  slapd:/usr/sbin/slapd
)

if [[ ${1:-} == --list ]]; then
  printf '%s\n' "${wanted[@]%%:*}"
  exit 0
fi

PATH=$PATH:/usr/sbin:/sbin
missing=()
look() {
  missing=()
  local entry package shown
  for entry in "${wanted[@]}"; do
    package=${entry%%:*}
    shown=${entry#*:}
    if [[ $shown == /* ]]; then
      [[ -e $shown ]] || missing+=("$package")
    else
      command -v "$shown" >/dev/null || missing+=("$package")
    fi
  done
}
look
[[ ${#missing[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -ne 0 ]]; then
  echo "not root, so these packages stay missing: ${missing[*]}. The sandbox runs with simulated hosts only." >&2
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "this is no Debian system: install ${missing[*]} yourself. Without them the sandbox runs with simulated hosts only." >&2
  exit 0
fi

log=$(mktemp)
scratch=$(mktemp -d)
cleanup=("$scratch")
trap 'rm -rf "${cleanup[@]}"' EXIT
export DEBIAN_FRONTEND=noninteractive
# Packages must not start services: the sandbox runs its own.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  cleanup+=("$policy")
fi

# from_bundle lets apt choose among the bundle's packages only, so nothing is
# fetched, and only what is missing is installed.
from_bundle() {
  local debs=$PWD/bundle/debs
  echo "deb [trusted=yes] copy:$debs ./" >"$scratch/bundle.list"
  mkdir -p "$scratch/lists/partial" "$scratch/archives/partial"
  local only=(
    -o "Dir::Etc::sourcelist=$scratch/bundle.list" -o Dir::Etc::sourceparts=-
    -o "Dir::State::lists=$scratch/lists" -o "Dir::Cache::archives=$scratch/archives"
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root
  )
  apt-get "${only[@]}" update -q >>"$log" 2>&1 &&
    apt-get "${only[@]}" install -y -q --no-install-recommends "${missing[@]}" >>"$log" 2>&1
}

from_sources() { apt-get install -y -q --no-install-recommends "${missing[@]}" >>"$log" 2>&1; }

if [[ -e bundle/debs/Packages ]]; then
  echo "installing Debian packages from the bundle: ${missing[*]}"
  if from_bundle; then
    rm -f "$log"
    exit 0
  fi
  echo "could not install ${missing[*]} from bundle/debs (the log is $log); trying the machine's package sources" >&2
  look
fi

echo "installing Debian packages: ${missing[*]}"
if ! from_sources; then
  # The package lists may be old.
  if ! { apt-get update -q >>"$log" 2>&1 && from_sources; }; then
    tail -n 20 "$log" >&2
    echo "could not install ${missing[*]}: see above; the full log is $log. Without them parts of the sandbox are left out." >&2
    exit 0
  fi
fi
rm -f "$log"
