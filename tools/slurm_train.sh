#!/usr/bin/env bash
# Trains under SLURM: asks for the GPUs, and starts a process for each. The environment that is active is used.
set -euo pipefail
tools=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/slurm.sh
source "$tools/slurm.sh"

usage='usage: GPUS=N bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of tools/train.py]'
[[ $# -ge 4 ]] || slurm_usage "$usage" "$@"
slurm_run "$1" "$2" "$tools/train.py" "$3" --work-dir "$4" "${@:5}"
