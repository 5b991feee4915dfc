#!/usr/bin/env bash
# Compiles the CUDA kernels of csrc/, which takes no GPU, and throws the result away.
# usage: bash tools/compile_cuda.sh [ARCHITECTURE ...]    as in TORCH_CUDA_ARCH_LIST; default: 7.5 8.0 9.0
# PYTHON names an interpreter that has torch, CUDA_HOME the toolkit. Without nvcc it says so and succeeds.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

nvcc=${CUDA_HOME:+$CUDA_HOME/bin/}nvcc
if ! command -v "$nvcc" >/dev/null; then
    echo "compile_cuda.sh: skipped, since there is no nvcc (looked for $nvcc)"
    exit
fi
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
export FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST="${*:-7.5 8.0 9.0}"
"${PYTHON:-python3}" setup.py build_ext --build-temp "$scratch/objects" --build-lib "$scratch/lib"
echo "compile_cuda.sh: compiled for $TORCH_CUDA_ARCH_LIST with $("$nvcc" --version | sed -n 's/.*release \([^,]*\),.*/CUDA \1/p')"
