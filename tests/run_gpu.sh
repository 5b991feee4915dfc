#!/usr/bin/env bash
# Everything that only a machine with an NVIDIA GPU can show, in one command. See `usage` below.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/setup_env.sh
source tools/setup_env.sh

stages=(build tests sanitize bench shapes coco)
logs=work_dirs/gpu

usage() {
    cat <<'EOT'
usage: [COCO_ROOT=FOLDER] bash tests/run_gpu.sh [STAGE ...]

  build      compile the ops, CUDA insisted upon
  tests      all tests, those that need a GPU among them
  sanitize   the tests of the ops under compute-sanitizer
  bench      time and memory of each op beside PyTorch's operators
  shapes     train on the embedded data set from nothing: the time it takes, and the mask AP
  coco       SOLO R50 at full size on COCO_ROOT, in float32 and with --amp: seconds a step, and memory

Without STAGE, all of them. Each leaves its output in work_dirs/gpu/STAGE.log, and the end says how each went.
coco needs a COCO-format folder of a few images, and no ImageNet weights.
EOT
}

build() { FORCE_CUDA=1 "$PYTHON" setup.py build_ext --inplace --force; }

tests() { setup_tests && "$PYTHON" -m pytest -ra; }

sanitize() {
    command -v compute-sanitizer >/dev/null ||
        die "compute-sanitizer is not on the PATH; it comes with CUDA's toolkit"
    # Not the tests of the build: they start compilers.
    setup_tests &&
        compute-sanitizer --error-exitcode 1 "$PYTHON" -m pytest tests/ops -k cuda \
            --ignore tests/ops/test_extension.py
}

bench() { "$PYTHON" tools/analysis_tools/benchmark_ops.py; }

shapes() {
    # Drawn anew, since drawing is part of the time.
    rm -rf -- "$logs/shapes" && mkdir -p -- "$logs/shapes/data" &&
        bash train.sh configs/solo/solo_r18_fpn_shapes.py --work-dir "$logs/shapes" \
            --data-root "$logs/shapes/data"
}

coco() {
    [[ -n ${COCO_ROOT:-} ]] || die 'COCO_ROOT does not name a folder'
    local amp
    for amp in '' --amp; do
        "$PYTHON" tools/train.py configs/solo/solo_r50_fpn_1x_coco.py $amp --data-root "$COCO_ROOT" \
            --work-dir "$logs/coco$amp" --cfg-options model.backbone.init_cfg=None \
            default_hooks.logger.interval=5 || return
    done
}

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    usage
    exit
fi
for stage in "$@"; do
    [[ " ${stages[*]} " == *" $stage "* ]] || die "there is no stage $stage: the stages are ${stages[*]}"
done
setup_env
"$PYTHON" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' ||
    die 'PyTorch sees no GPU here: bash tests/run.sh runs what needs none'
[[ $# -gt 0 ]] || set -- "${stages[@]}"

mkdir -p -- "$logs"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
failed=0
summary=()
for stage in "$@"; do
    echo "== $stage"
    start=$SECONDS
    status=0
    ("$stage") 2>&1 | tee -- "$logs/$stage.log" || status=$?
    [[ $status -eq 0 ]] || failed=1
    summary+=("$(printf '%-10s%5d s   %s' "$stage" $((SECONDS - start)) \
        "$([[ $status -eq 0 ]] && echo passed || echo "failed, exit code $status")")")
done
printf '%s\n' '' "${summary[@]}" "The logs are in $logs."
exit "$failed"
