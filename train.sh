#!/usr/bin/env bash
# Trains a model in one process, then draws predicted masks. See `usage` below.
set -euo pipefail
# shellcheck source=tools/setup_env.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/tools/setup_env.sh"

usage() {
    cat <<'EOF'
usage: bash train.sh [CONFIG] [options of tools/train.py]

Without CONFIG: SOLO R50 on COCO where COCO is in data/coco or in the folder that COCO_ROOT names, else
SOLO R18 on the embedded data set, which needs no download.
The first run makes .venv and installs into it, unless the active Python environment has this package.
PYTHON=/path/to/python3 names the interpreter to use.

The options of tools/train.py: bash train.sh CONFIG --help
EOF
}

coco_layout=(
    annotations/instances_train2017.json
    annotations/instances_val2017.json
    train2017/
    val2017/
)

# The parts of COCO that the folder $1 lacks, one a line.
coco_lacks() {
    local part
    for part in "${coco_layout[@]}"; do
        [[ -e $1/$part ]] || printf '%s\n' "$part"
    done
}

die_of_coco() {
    local lacks=${2//$'\n'/, }
    printf 'COCO is expected in this layout:\n' >&2
    printf "    $1/%s\n" "${coco_layout[@]}" >&2
    die "${3}$1 lacks: $lacks"
}

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    usage
    exit
elif [[ $# -gt 0 && $1 != -* ]]; then
    use_config "$1"
    shift
elif [[ -n ${COCO_ROOT:-} ]]; then
    lacks=$(coco_lacks "$COCO_ROOT")
    [[ -z $lacks ]] || die_of_coco "$COCO_ROOT" "$lacks" COCO_ROOT=
    COCO_ROOT=$(CDPATH='' cd -- "$COCO_ROOT" && pwd)
    echo "COCO found in $COCO_ROOT"
    cd -- "$repo"
    use_config configs/solo/solo_r50_fpn_1x_coco.py
    set -- --data-root "$COCO_ROOT" "$@"
else
    cd -- "$repo"
    lacks=$(coco_lacks data/coco)
    if [[ -z $lacks ]]; then
        echo "COCO found in $repo/data/coco"
        use_config configs/solo/solo_r50_fpn_1x_coco.py
    elif [[ $(wc -l <<<"$lacks") -lt ${#coco_layout[@]} ]]; then
        die_of_coco data/coco "$lacks" ''
    else
        cat <<EOF
No CONFIG was given, and COCO is neither in $repo/data/coco nor named by COCO_ROOT.
To train on it, download from cocodataset.org
    train2017.zip (18 GB), val2017.zip (1 GB), annotations_trainval2017.zip (241 MB)
and unpack them in data/coco, or in any folder with COCO_ROOT=/path/to/folder, so that it holds
$(printf '    %s\n' "${coco_layout[@]}")
Now training on the embedded data set instead.
EOF
        cpu=
        nvidia-smi -L >/dev/null 2>&1 || cpu=-cpu
        use_config "configs/solo/solo_r18_fpn_shapes$cpu.py"
    fi
fi

setup_env

for option in "$@"; do
    [[ $option != -h && $option != --help ]] || exec "$PYTHON" "$repo/tools/train.py" "$config" "$@"
done

work_dir=work_dirs/$(basename -- "$config" .py)
previous=
for option in "$@"; do
    [[ $previous != --work-dir ]] || work_dir=$option
    [[ $option != --work-dir=* ]] || work_dir=${option#*=}
    previous=$option
done

before=$(mktemp)
trap 'rm -f -- "$before"' EXIT
echo "training $config"
"$PYTHON" "$repo/tools/train.py" "$config" "$@"

# Only a checkpoint of this run: an older one in the same folder may be another model's.
last=$work_dir/last_checkpoint
if [[ ! $last -nt $before ]]; then
    echo "This run wrote no $last: no pictures are drawn."
    exit
fi
work_dir=$(cd -- "$work_dir" && pwd)
checkpoint=$(realpath -- "$(<"$last")")

# The configuration that the run saved holds what the options changed. The test keeps to a folder of its
# own, so as not to overwrite it.
saved=$work_dir/$(basename -- "$config")
[[ -f $saved ]] || saved=$config
echo "drawing predicted masks"
status=0
"$PYTHON" "$repo/tools/test.py" "$saved" "$checkpoint" --work-dir "$work_dir/test" \
    --show-dir "$work_dir/vis" --show-limit 50 --cfg-options resume=False || status=$?

# Only what is there: the log's folder is named by the time it began.
line() { [[ ! -e $2 ]] || printf '    %-24s%s\n' "$1" "$2"; }
logs=("$work_dir"/[0-9]*/*.log)
echo
echo "Training is done. It left:"
line 'last checkpoint' "$checkpoint"
line 'log, with all figures' "${logs[-1]}"
line 'curves of loss and AP' "$work_dir/curves.png"
[[ $status -ne 0 ]] || line 'predicted masks' "$work_dir/vis"
line 'configuration' "$saved"
[[ $status -eq 0 ]] || echo "train.sh: the pictures could not be drawn (tools/test.py, exit code $status): see above" >&2
exit "$status"
