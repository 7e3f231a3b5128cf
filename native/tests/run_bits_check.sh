#!/usr/bin/env bash
# Compares the bits of the golden runs and of every kernel with tests/golden/bits.txt: on each target of this CPU, for 1,
# 2, 3, 5 and 8 threads; what the kernels do on AVX-512 also without it, its vectors made of two of AVX2; and NEON under
# qemu-user, where aarch64-linux-gnu-g++ and qemu-aarch64 are installed. Fails at the first difference. With --write it
# writes the file anew first, from the preferred target and one thread.
#   run_bits_check.sh BUILD_FOLDER [--write]     (`make bits` and `make bits-golden` call it; needs cmake and ninja)
set -euo pipefail
source_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build_folder=$1
golden=$source_folder/tests/golden/bits.txt
remarks=$build_folder/remarks.txt

build() { # build FOLDER CMAKE_OPTIONS...
  cmake -S "$source_folder" -B "$1" -G Ninja -DRECURRA_BITS_CHECK=ON "${@:2}" >/dev/null
  cmake --build "$1" --target bits_check | tail -n 1
}

compare() { # compare WHAT COMMAND...
  if diff <(grep -v '^#' "$golden") <("${@:2}" 2>"$remarks") >&2; then
    echo "$1: the bits of ${golden#"$source_folder"/}"
  else
    cat "$remarks" >&2
    echo "$1: other bits than ${golden#"$source_folder"/}; a change that means to move them runs make bits-golden" >&2
    exit 1
  fi
}

build "$build_folder/host"
check=$build_folder/host/bits_check
if [[ ${2-} == --write ]]; then
  { grep '^#' "$golden" && RECURRA_NUM_THREADS=1 "$check" 2>"$remarks"; } >"$build_folder/bits.txt"
  cp "$build_folder/bits.txt" "$golden"
  echo "written from $(cat "$remarks"): ${golden#"$source_folder"/}"
fi
for target in avx512 avx2 neon generic; do
  if ! RECURRA_TARGET=$target "$check" --target 2>"$remarks"; then
    echo "$target: skipped, $(cat "$remarks")"
  elif grep -q "rounds fma twice" "$remarks"; then
    echo "$target: not compared, it has no fused multiply-add"
  else
    for threads in 1 2 3 5 8; do
      compare "$target, $threads threads" env RECURRA_TARGET=$target RECURRA_NUM_THREADS=$threads "$check"
    done
  fi
done

if ! RECURRA_TARGET=avx512 "$check" --target 2>/dev/null && RECURRA_TARGET=avx2 "$check" --target 2>/dev/null; then
  build "$build_folder/in_pairs" -DRECURRA_AVX512_IN_PAIRS=ON
  for threads in 1 3; do
    compare "avx512 in pairs of AVX2 vectors, $threads threads" \
      env RECURRA_TARGET=avx512 RECURRA_NUM_THREADS=$threads "$build_folder/in_pairs/bits_check"
  done
fi

if [[ $(uname -m) == aarch64 ]]; then
  : # NEON was checked above
elif command -v aarch64-linux-gnu-g++ >/dev/null && qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static); then
  build "$build_folder/aarch64" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static
  for threads in 1 3; do
    compare "neon under qemu, $threads threads" \
      "$qemu" -E RECURRA_NUM_THREADS=$threads "$build_folder/aarch64/bits_check"
  done
else
  echo "neon under qemu: skipped, needs aarch64-linux-gnu-g++ and qemu-aarch64 (Debian: g++-aarch64-linux-gnu qemu-user)"
fi
