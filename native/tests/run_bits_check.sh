#!/usr/bin/env bash
# Compares the bits of every kernel: each target with hardware FMA that this CPU has, for 1, 2, 3 and 8 threads; and
# NEON under qemu-user, where aarch64-linux-gnu-g++ and qemu-aarch64 are installed. Fails at the first difference.
#   run_bits_check.sh BUILD_FOLDER     (`make bits` calls it; cmake and ninja have to be on the path)
set -euo pipefail
source_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build_folder=$1
golden=$build_folder/hashes.txt

build() { # build FOLDER CMAKE_OPTIONS...
  cmake -S "$source_folder" -B "$1" -G Ninja -DRECURRA_BITS_CHECK=ON "${@:2}" >/dev/null
  cmake --build "$1" --target bits_check | tail -n 1
}

compare() { # compare WHAT COMMAND...
  if "${@:2}" 2>/dev/null | diff "$golden" - >&2; then
    echo "$1: the same bits"
  else
    echo "$1: other bits than $golden" >&2
    exit 1
  fi
}

build "$build_folder/host"
check=$build_folder/host/bits_check
RECURRA_NUM_THREADS=1 "$check" >"$golden"
for target in avx512 avx2 neon; do
  RECURRA_TARGET=$target "$check" >/dev/null 2>&1 || continue
  for threads in 1 2 3 8; do
    compare "$target, $threads threads" env RECURRA_TARGET=$target RECURRA_NUM_THREADS=$threads "$check"
  done
done

if [[ $(uname -m) != aarch64 ]] && command -v aarch64-linux-gnu-g++ qemu-aarch64 >/dev/null; then
  build "$build_folder/aarch64" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static
  for threads in 1 3; do
    compare "neon under qemu, $threads threads" \
      qemu-aarch64 -E RECURRA_NUM_THREADS=$threads "$build_folder/aarch64/bits_check"
  done
else
  echo "neon under qemu: skipped, needs aarch64-linux-gnu-g++ and qemu-aarch64 (Debian: g++-aarch64-linux-gnu qemu-user)"
fi
