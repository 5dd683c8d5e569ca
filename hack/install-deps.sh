#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The Fairway Authors
#
# Installs the Debian packages that real hosts of the sandbox need, when they
# are missing. Without root or apt it says what is missing and what is left
# out, and succeeds: the sandbox then runs with simulated hosts only.
set -euo pipefail

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
)

PATH=$PATH:/usr/sbin:/sbin
missing=()
for entry in "${wanted[@]}"; do
  package=${entry%%:*}
  shown=${entry#*:}
  if [[ $shown == /* ]]; then
    [[ -e $shown ]] || missing+=("$package")
  else
    command -v "$shown" >/dev/null || missing+=("$package")
  fi
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -ne 0 ]]; then
  echo "not root, so these packages stay missing: ${missing[*]}. The sandbox runs with simulated hosts only." >&2
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "this is no Debian system: install ${missing[*]} yourself. Without them the sandbox runs with simulated hosts only." >&2
  exit 0
fi

echo "installing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# Packages must not start services: the sandbox runs its own.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
log=$(mktemp)
install() { apt-get install -y -q --no-install-recommends "${missing[@]}" >>"$log" 2>&1; }
if ! install; then
  # The package lists may be old.
  if ! { apt-get update -q >>"$log" 2>&1 && install; }; then
    tail -n 20 "$log" >&2
    echo "could not install ${missing[*]}: see above; the full log is $log. Without them parts of the sandbox are left out." >&2
    exit 0
  fi
fi
rm -f "$log"
