#!/usr/bin/env bash
# Tests under SLURM: asks for the GPUs, and starts a process for each. The environment that is active is used.
set -euo pipefail
tools=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/slurm.sh
source "$tools/slurm.sh"

usage='usage: GPUS=N bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]'
[[ $# -ge 4 ]] || slurm_usage "$usage" "$@"
slurm_run "$1" "$2" "$tools/test.py" "$3" "$4" "${@:5}"
