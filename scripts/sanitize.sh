#!/usr/bin/env bash
# The tests of threads and of unsafe code under the sanitizers of a nightly toolchain; skipped, with a word, without one.
#   scripts/sanitize.sh [--kernels]   with --kernels the property tests of forests alone, which take minutes to compile
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
if ! cargo +nightly --version >/dev/null 2>&1; then
  echo "skipped: no nightly toolchain, so no sanitizers"
  exit 0
fi

sanitize() { # NAME TEST... [--lib FILTER]
  local name=$1
  shift
  echo "== $name sanitizer: $*"
  local tests=()
  while [ $# -gt 0 ] && [ "$1" != --lib ]; do
    tests+=(--test "$1")
    shift
  done
  tests+=("$@")
  RUSTFLAGS="-Zsanitizer=$name -Cunsafe-allow-abi-mismatch=sanitizer -Cdebuginfo=line-tables-only" \
    cargo +nightly test --quiet --no-default-features --target "$host" --target-dir "target/$name" "${tests[@]}"
}

# The standard library of the toolchain is not instrumented; the list names the places in it that the sanitizer cannot see through.
export TSAN_OPTIONS="suppressions=$PWD/scripts/tsan.suppressions halt_on_error=1 ${TSAN_OPTIONS:-}"
# The kernels of forests, on every processor that this machine is; a tenth of the rows, which are slow here.
if [ "${1:-}" = --kernels ]; then
  MI_FOREST_EVALUATIONS=100000 sanitize address --lib exec::forest
  exit 0
fi
# ONNX Runtime comes compiled, without a sanitizer: `session_threads` looks at what is ours around its sessions. Without the runtime it says so.
sanitize thread threads buffer_threads session_threads
sanitize address parity ffi buffer buffer_threads session_threads
