#!/usr/bin/env bash
# Trains a model in several processes, one a GPU; without a GPU, that many on the CPU. See `usage` below.
set -euo pipefail
# shellcheck source=tools/setup_env.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/tools/setup_env.sh"

usage='usage: bash train_dist.sh CONFIG NUM_GPUS [options of tools/train.py]'
if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    cat <<EOF
$usage

NUM_GPUS is for each node. For several nodes run it on each, with these in the environment:
    NNODES       how many nodes (1)
    NODE_RANK    which one this is, from 0 (0)
    MASTER_ADDR  the address of node 0 (127.0.0.1)
    PORT         a free port of node 0 (one node: found by itself; several: 29500)
EOF
    exit
fi
[[ $# -ge 2 ]] || die "$usage"
[[ $2 =~ ^[1-9][0-9]*$ ]] || die "NUM_GPUS is '$2', not a number from 1. $usage"
use_config "$1"
processes=$2
shift 2

setup_env

gpus=$("$PYTHON" -c 'import torch; print(torch.cuda.device_count())')
if [[ $gpus -eq 0 ]]; then
    echo "PyTorch sees no GPU: training on the CPU (processes: $processes)"
    threads=$(($(nproc) / processes))
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((threads > 0 ? threads : 1))}
elif [[ $gpus -lt $processes ]]; then
    die "NUM_GPUS is $processes, but PyTorch sees $gpus here" \
        "(CUDA_VISIBLE_DEVICES is ${CUDA_VISIBLE_DEVICES-not set})"
else
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # as torchrun has it, without its warning
fi

if [[ ${NNODES:-1} == 1 ]]; then
    free=$("$PYTHON" - "${PORT:-0}" 2>/dev/null <<'PY'
import socket
import sys

with socket.socket() as server:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(('127.0.0.1', int(sys.argv[1])))
    print(server.getsockname()[1])
PY
    ) || die "PORT=$PORT is in use or is no port: name another, or unset it to have a free one found"
    PORT=$free
fi

errors=$(mktemp)
trap 'rm -rf -- "$errors" "$errors.d"' EXIT
# torchrun prefixes what each process writes to stderr; the prefix tells below whose error was the first.
# shellcheck disable=SC2016 # torchrun fills in ${rank}
export TORCHELASTIC_LOG_LINE_PREFIX_TEMPLATE='[rank ${rank}] '
status=0
{
    "$PYTHON" -m torch.distributed.run --nnodes "${NNODES:-1}" --node-rank "${NODE_RANK:-0}" \
        --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "${PORT:-29500}" \
        --nproc-per-node "$processes" --tee 2 --log-dir "$errors.d" \
        "$repo/tools/train.py" "$config" --launcher pytorch "$@" 2>&1 >&3 | tee -i -- "$errors" >&2
} 3>&1 || status=$?
[[ $status -ne 0 ]] || exit 0

# torchrun ends with its own traceback and a table, and always with exit code 1.
read -r rank code < <(sed -n '/^Root Cause/,$ s/^ *\(rank\|exitcode\) *: \(-\?[0-9]*\).*/\2/p' "$errors" | xargs) || true
[[ -n ${rank:-} && -n ${code:-} ]] || exit "$status"
if [[ $code -lt 0 ]]; then
    reason="was killed by signal ${code#-}"
    [[ $code -ne -9 ]] || reason+=' (the machine may have run out of memory)'
else
    reason="failed: $(sed -n "s/^\[rank $rank\] \(.*[^ ].*\)/\1/p" "$errors" | tail -n 1)"
    status=$code
fi
echo "train_dist.sh: rank $rank $reason" >&2
exit "$status"
