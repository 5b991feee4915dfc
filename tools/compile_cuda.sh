#!/usr/bin/env bash
# Compiles the CUDA kernels of csrc/, which takes no GPU, sees that the library holds one for each op that is
# not a CPU's alone, and throws it away.
# usage: bash tools/compile_cuda.sh [ARCHITECTURE ...]    as in TORCH_CUDA_ARCH_LIST; default: 7.5 8.0 9.0
# PYTHON names an interpreter that has torch, CUDA_HOME the toolkit. Exit code 77: skipped, without nvcc.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# As setup.py looks for it.
nvcc=${CUDA_HOME:+$CUDA_HOME/bin/}nvcc
[[ -n ${CUDA_HOME:-} ]] || command -v nvcc >/dev/null || nvcc=/usr/local/cuda/bin/nvcc
if ! command -v "$nvcc" >/dev/null; then
    echo "compile_cuda.sh: SKIPPED: there is no nvcc (looked for $nvcc)" >&2
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
export FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST="${*:-7.5 8.0 9.0}"
"${PYTHON:-python3}" setup.py build_ext --build-temp "$scratch/objects" --build-lib "$scratch/lib"
"${PYTHON:-python3}" - "$scratch/lib/mmdet/_C.abi3.so" <<'PY'
import sys

import torch

torch.ops.load_library(sys.argv[1])
ops = sorted(name.split('::')[1] for name in torch._C._dispatch_get_all_op_names() if name.startswith('mmdet_solo::'))
# On a GPU cuDNN has what conv3x3 does.
ops = [op for op in ops if not op.startswith('conv3x3')]
without = [op for op in ops if not torch._C._dispatch_has_kernel_for_dispatch_key(f'mmdet_solo::{op}', 'CUDA')]
sys.exit(f'no CUDA kernel is registered for {without or "any op"}' if without or not ops else 0)
PY
echo "compile_cuda.sh: compiled for $TORCH_CUDA_ARCH_LIST with $("$nvcc" --version | sed -n 's/.*release \([^,]*\),.*/CUDA \1/p')"
