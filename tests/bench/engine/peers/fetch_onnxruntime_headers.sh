#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Unpacks the headers of Debian 13's libonnxruntime-dev into FOLDER/include, with package lists of
# its own, so that the machine's stay as they are. Usage: fetch_onnxruntime_headers.sh FOLDER
set -euo pipefail
folder=$(realpath "${1:?usage: fetch_onnxruntime_headers.sh FOLDER}")
apt=$folder/apt
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
# The machine's own mirror, asked for trixie.
# shellcheck disable=SC2016  # apt-get expands it
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
  grep -m 1 '/debian/$' || true)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
  "${mirror:-http://deb.debian.org/debian/} trixie main" >"$apt/sources.list"
options=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
  -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt" -o APT::Sandbox::User=)
apt-get "${options[@]}" update -qq
cd "$apt"
apt-get "${options[@]}" download -qq libonnxruntime-dev
dpkg -x libonnxruntime-dev_*.deb unpacked
mkdir -p "$folder/include"
cp -r unpacked/usr/include/onnxruntime "$folder/include/"
rm -rf "$apt"
