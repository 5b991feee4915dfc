#!/usr/bin/env bash
# Sets up the environment; tools/train_dist.py trains in several processes, one a GPU, or on the CPU.
set -euo pipefail
# shellcheck source=tools/setup_env.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/tools/setup_env.sh"

usage='usage: bash train_dist.sh CONFIG NUM_GPUS [options of tools/train.py]'
if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    cat <<EOT
$usage

NUM_GPUS is for each node. For several nodes run it on each, with these in the environment:
    NNODES       how many nodes (1)
    NODE_RANK    which one this is, from 0 (0)
    MASTER_ADDR  the address of node 0 (127.0.0.1)
    PORT         a free port of node 0 (one node: found by itself; several: 29500)
EOT
    exit
fi
[[ $# -ge 2 && $2 =~ ^[1-9][0-9]*$ ]] || die "$usage"
setup_env
exec "$PYTHON" "$repo/tools/train_dist.py" "$@"
