# What slurm_train.sh and slurm_test.sh share; they source this file.
# shellcheck shell=bash

# Say how a script is called: as help if that was asked for, else as a mistake.
#     slurm_usage USAGE ARGUMENTS ...
slurm_usage() {
    local variables='In the environment, as in mmdetection:
    GPUS           how many, a process each (8)
    GPUS_PER_NODE  of one machine (8, or GPUS if that is less)
    CPUS_PER_TASK  for each process (5)
    SRUN_ARGS      more options of srun: "--time=1-0 --signal=USR1@120"'
    if [[ ${2:-} == -h || ${2:-} == --help ]]; then
        printf '%s\n\n%s\n' "$1" "$variables"
        exit
    fi
    printf '%s\nerror: %s\n' "$variables" "$1" >&2
    exit 2
}

# Replace this script by srun.
#     slurm_run PARTITION JOB_NAME TOOL ARGUMENTS ...
slurm_run() {
    local gpus=${GPUS:-8} more
    [[ $gpus =~ ^[1-9][0-9]*$ ]] || slurm_die "GPUS=$gpus is not a number from 1"
    command -v srun >/dev/null || slurm_die 'there is no srun here: run this where SLURM is, or use train_dist.sh'
    local on_each=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
    read -ra more <<<"${SRUN_ARGS:-}"
    exec srun --partition="$1" --job-name="$2" --gres="gpu:$on_each" \
        --ntasks="$gpus" --ntasks-per-node="$on_each" --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 "${more[@]}" "${PYTHON:-python}" -u "${@:3}" --launcher slurm
}

slurm_die() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}
