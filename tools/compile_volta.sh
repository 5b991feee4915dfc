#!/usr/bin/env bash
# Compiles csrc/cuda for sm_70 (Volta), which CUDA 13 has dropped, without CUDA 12's nvcc: with clang, and
# the headers, libdevice and ptxas of NVIDIA's pip packages. The result is thrown away.
# usage: bash tools/compile_volta.sh    PYTHON: an interpreter with torch and pip; CLANG: clang++ 16, say
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3} clang=${CLANG:-clang++}
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

"$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$scratch/packages" \
    nvidia-cuda-nvcc-cu12==12.1.105 nvidia-cuda-runtime-cu12==12.1.105 nvidia-cuda-cccl-cu12==12.9.27
toolkit=$scratch/toolkit
mkdir -p -- "$toolkit/include"
for part in cuda_runtime cuda_nvcc cuda_cccl; do
    cp -r -- "$scratch/packages/nvidia/$part/include/." "$toolkit/include"
done
cp -r -- "$scratch"/packages/nvidia/cuda_nvcc/{bin,nvvm} "$toolkit"
chmod +x "$toolkit/bin/ptxas"
# clang includes this whether it is used or not.
touch "$toolkit/include/curand_mtgp32_kernel.h"
# CUDA's macro of this name breaks __attribute__((__noinline__)) in libstdc++.
echo '#undef __noinline__' >"$scratch/undefine.h"

torch=$("$python" -c 'import importlib.util as i; print(i.find_spec("torch").submodule_search_locations[0])')
for source in csrc/cuda/*.cu; do
    "$clang" -x cuda --cuda-path="$toolkit" --cuda-gpu-arch=sm_70 --cuda-device-only -Wno-unknown-cuda-version \
        -include "$scratch/undefine.h" -Xclang -fcuda-allow-variadic-functions -std=c++20 -O3 -DNDEBUG -DUSE_CUDA \
        -DTORCH_TARGET_VERSION=0x020b000000000000 -isystem "$torch/include" \
        -c "$source" -o "$scratch/$(basename -- "$source").cubin"
    echo "compile_volta.sh: compiled $source for sm_70"
done
