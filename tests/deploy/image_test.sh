#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the image of the commit that is checked out, and runs it: its size, what it says of itself,
# an inference, its health check, and what SIGTERM does. Takes a compilation's time and needs root.
#
#   tests/deploy/image_test.sh [FOLDER_OF_OCTET]
#
# No registry is asked: the base image is made of Debian's packages. Everything lies in build/image.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly octet=${1:-build/check/bin}/octet
readonly folder=$PWD/build/image image=localhost/octet-server base=localhost/debian:trixie
readonly most_bytes=100000000
readonly buildah=(buildah --storage-driver vfs --root "$folder/storage" --runroot "$folder/run")
# With sudo, the working tree is another user's.
readonly git=(git -c "safe.directory=$PWD")
revision=$("${git[@]}" rev-parse HEAD)
readonly revision
# In a network of its own, the image's ports are free and its server is the only one.
readonly network=octet-image-test-$$
readonly in_network=(ip netns exec "$network")

fail() {
  echo "image_test: $*" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || exec sudo "$PWD/tests/deploy/image_test.sh" "$@" || fail "needs root or sudo"
for program in buildah debootstrap ip; do
  command -v "$program" >/dev/null || fail "$program is missing: cmake/setup/setup.sh check installs it"
done
[ -x "$octet" ] || fail "$octet is missing: build it, or name its folder"

said() { echo "[$((SECONDS / 60))m$((SECONDS % 60))s] $*"; }

# As debian:trixie-slim is made: the minimal system, without documentation and translations.
make_base() {
  "${buildah[@]}" inspect --type image "$base" >/dev/null 2>&1 && return
  local root=$folder/base
  rm -rf "$root"
  debootstrap --variant=minbase trixie "$root" >"$folder/debootstrap.log" 2>&1 ||
    fail "debootstrap failed: $(tail -n 1 "$folder/debootstrap.log")"
  local -a unwanted=(usr/share/{doc,info,locale,man} var/{cache/apt,lib/apt/lists,log})
  find "${unwanted[@]/#/$root/}" ! -type d -delete
  printf 'path-exclude /usr/share/%s/*\n' doc info locale man >"$root/etc/dpkg/dpkg.cfg.d/slim"
  local container; container=$("${buildah[@]}" from scratch)
  "${buildah[@]}" add -q "$container" "$root" / >/dev/null
  "${buildah[@]}" commit -q "$container" "$base" >/dev/null
  "${buildah[@]}" rm "$container" >/dev/null
  rm -rf --one-file-system "$root"
}

build_image() {
  "${git[@]}" archive "$revision" | tar -x -C "$folder/context"
  "${buildah[@]}" bud --isolation chroot --format docker --pull-never --build-arg "BASE=$base" \
    --build-arg "REVISION=$revision" -t "$image" "$folder/context" \
    >"$folder/build.log" 2>&1 || {
    tail -n 20 "$folder/build.log" >&2
    fail "the Dockerfile does not build ($folder/build.log)"
  }
  # The image of the run before, now without a name.
  "${buildah[@]}" rmi --prune >/dev/null
}

# What a registry would store: every layer, base included, in gzip.
check_size() {
  local bytes
  rm -rf "$folder/pushed"
  "${buildah[@]}" push -q "$image" "oci:$folder/pushed"
  bytes=$(du -sb "$folder/pushed/blobs" | cut -f1)
  rm -rf "$folder/pushed"
  said "compressed size: $bytes bytes"
  [ "$bytes" -lt "$most_bytes" ] || fail "got $bytes bytes compressed, wants fewer than $most_bytes"
}

# A field of the image's configuration, as a Go template.
setting() { "${buildah[@]}" inspect --type image --format "$1" "$image"; }

# The template of a setting that is a list: one of its words a line.
words() { echo "{{range .Docker.Config.$1}}{{println .}}{{end}}"; }

expect() {
  [ "$2" = "$3" ] || fail "$1: got '$2', wants '$3'"
}

check_configuration() {
  local label=org.opencontainers.image
  expect user "$(setting '{{.Docker.Config.User}}')" 10001:10001
  expect entrypoint "$(setting '{{.Docker.Config.Entrypoint}}')" "[octet-server]"
  expect version "octet-server $(setting "{{index .Docker.Config.Labels \"$label.version\"}}")" \
    "$(in_image octet-server --version)"
  expect revision "$(setting "{{index .Docker.Config.Labels \"$label.revision\"}}")" \
    "$revision"
  expect licence "$(setting "{{index .Docker.Config.Labels \"$label.licenses\"}}")" Apache-2.0
  expect "user inside" "$(in_image id -u)" 10001
  expect "build tools" "$(in_image bash -c 'type -P g++ gcc cc ld make cmake ninja python3; true')" ""
}

# Runs a command in the image, as its user, with the zoo read-only on /models.
in_image() {
  "${in_network[@]}" "${buildah[@]}" run --isolation chroot --network host \
    -v "$PWD/models/zoo/repository:/models:ro" "$container" -- "$@"
}

# The server's process, which buildah is only the parent of.
server_process() {
  local process
  for process in $(ip netns pids "$network"); do
    if [ "$(cat "/proc/$process/comm")" = octet-server ]; then echo "$process"; fi
  done
}

# Waits for the image's own health check, at most a minute.
await_health() {
  local -a health
  mapfile -t health < <(setting "$(words Healthcheck.Test)" | sed '/^$/d')
  expect "health check" "${health[0]}" CMD
  in_image "${health[@]:1}" 2>/dev/null && fail "the health check passes without a server"
  start_server
  for _ in $(seq 60); do
    in_image "${health[@]:1}" 2>/dev/null && return
    kill -0 "$server" 2>/dev/null || fail "the server ended: $(tail -n 5 "$folder/server.log")"
    sleep 1
  done
  fail "the health check did not pass in a minute: $(tail -n 5 "$folder/server.log")"
}

start_server() {
  local -a command
  mapfile -t command < <(setting "$(words Entrypoint)$(words Cmd)" | sed '/^$/d')
  in_image "${command[@]}" >"$folder/server.log" 2>&1 &
  server=$!
}

clean_up() {
  ip netns pids "$network" 2>/dev/null | xargs -r kill -KILL
  [ -z "${server:-}" ] || wait "$server" || true
  ip netns del "$network"
  "${buildah[@]}" rm "$container" >/dev/null
}

run_image() {
  container=$("${buildah[@]}" from --pull-never "$image")
  trap clean_up EXIT
  ip netns add "$network"
  "${in_network[@]}" ip link set lo up
  check_configuration
  await_health
  said "healthy"
  "${in_network[@]}" "$octet" infer digits-int8 --address 127.0.0.1:8001 \
    --input models/zoo/data/digits_test_images.npy >"$folder/infer.log" ||
    fail "the inference failed"
  grep -q 'largest at' "$folder/infer.log" || fail "the inference printed no row"
  head -n 3 "$folder/infer.log"
  kill -TERM "$(server_process)"
  local status=0
  wait "$server" || status=$?
  expect "exit status after SIGTERM" "$status" 0
  said "drained"
}

# What a run that was ended left.
"${buildah[@]}" rm --all >/dev/null
rm -rf "$folder/context"
mkdir -p "$folder/context"
make_base
said "base image made"
build_image
said "image built"
check_size
rm -rf "$folder/context"
run_image
