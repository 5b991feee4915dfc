#!/usr/bin/env bash
# Everything that only a machine with an NVIDIA GPU can show, in one command. See `usage` below.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/setup_env.sh
source tools/setup_env.sh

stages=(build tests sanitize bench shapes coco models options peer table)
logs=work_dirs/gpu
dry=

usage() {
    cat <<'EOT'
usage: [COCO_ROOT=FOLDER] [PEER_PYTHON=PYTHON] bash tests/run_gpu.sh [--dry] [STAGE ...]

  build      compile the ops, CUDA insisted upon
  tests      all tests, those that need a GPU among them
  sanitize   the tests of the ops under compute-sanitizer
  bench      time and memory of each op beside PyTorch's operators
  shapes     train on the embedded data set from nothing: the time it takes, and the mask AP
  coco       SOLO R50 at full size on COCO_ROOT, in float32 and with --amp: seconds a step, and memory
  models     steps of SOLO, Decoupled SOLO and SOLOv2 R50: training in float32, float16 and bfloat16, tests that
             find 500 candidates and 5, an evaluation, the data alone
  options    steps of SOLO R50's training with each option of docs/performance.md
  peer       the same steps of mmdet 3.3 and of this project, one after the other
  table      all that models, options and peer have measured, as tables

Without STAGE, all of them. Each leaves its output in work_dirs/gpu/STAGE.log, and the end says how each went.
coco, models, options and peer need a COCO-format folder of some 160 images to train on and 80 to test on, and no
ImageNet weights. What the last four measure is in work_dirs/gpu/figures.
peer needs an interpreter that has mmdet 3.3 (PEER_PYTHON), and the script that measures either side (PEER_BENCH,
without it ../shared/peer/bench.py); without them it says so and is skipped.
With --dry no GPU is needed: tiny images, one step of each, to see that the commands run; all is in
work_dirs/gpu-dry. Without STAGE it is the last four.
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

# What all that is measured below has in common.
figures() {
    [[ -n ${COCO_ROOT:-} ]] || die 'COCO_ROOT does not name a folder'
    mkdir -p -- "$logs/figures"
    steps=(--max-iter 30 --num-warmup 20)
    settings=(model.backbone.init_cfg=None)
    sizes=(--iters 20)
    compiled=compile=True
    if [[ $dry ]]; then
        steps=(--max-iter 1 --num-warmup 0)
        settings+=(
            train_dataloader.dataset.pipeline.2.scale='(96,64)'
            test_dataloader.dataset.pipeline.1.scale='(96,64)'
            train_dataloader.num_workers=0 train_dataloader.persistent_workers=False
            test_dataloader.num_workers=0 test_dataloader.persistent_workers=False
        )
        sizes=(--scale 96 64 --iters 1)
        compiled=compile.backend=aot_eager
    fi
}

# NAME CONFIG [FLAG ...] [-- SETTING ...]: what a step takes, in figures/NAME.json. What fails is noted in `failed`.
measure() {
    local name=$1 config=$2 flags=()
    shift 2
    while [[ $# -gt 0 && $1 != -- ]]; do
        flags+=("$1")
        shift
    done
    echo "-- $name"
    "$PYTHON" tools/analysis_tools/benchmark.py "$config" "${flags[@]}" "${steps[@]}" --data-root "$COCO_ROOT" \
        --json "$logs/figures/$name.json" --cfg-options "${settings[@]}" "${@:2}" || failed=1
}

# The types that mixed precision has here.
mixed() { if [[ $dry ]]; then echo bfloat16; else echo float16 bfloat16; fi; }

declare -A configs=(
    [solo]=solo/solo_r50_fpn_1x_coco
    [decoupled]=solo/decoupled-solo_r50_fpn_1x_coco
    [solov2]=solov2/solov2_r50_fpn_1x_coco
)

models() {
    local failed=0 model config dtype number
    figures
    for model in solo decoupled solov2; do
        config=${configs[$model]}
        measure "$model-train" "$config"
        for dtype in $(mixed); do
            measure "$model-train-$dtype" "$config" --amp "$dtype"
        done
        for number in 500 5; do
            measure "$model-test-$number" "$config" --mode test --candidates "$number"
        done
    done
    measure solo-test-500-amp "${configs[solo]}" --mode test --candidates 500 --amp
    measure solo-eval-500 "${configs[solo]}" --mode eval --candidates 500
    measure solo-data "${configs[solo]}" --mode data
    return "$failed"
}

options() {
    local failed=0 config=${configs[solo]} dtype
    figures
    measure option-none "$config"
    measure option-foreach "$config" -- optim_wrapper.optimizer.foreach=True
    measure option-with_cp "$config" -- model.backbone.with_cp=True
    measure option-cudnn_benchmark "$config" -- env_cfg.cudnn_benchmark=True
    measure option-compile "$config" -- "$compiled"
    MMDET_CHANNELS_LAST=1 measure option-channels_last "$config"
    for dtype in $(mixed); do
        measure "option-none-$dtype" "$config" --amp "$dtype"
        measure "option-compile-$dtype" "$config" --amp "$dtype" -- "$compiled"
        MMDET_CHANNELS_LAST=1 measure "option-channels_last-$dtype" "$config" --amp "$dtype"
        MMDET_CHANNELS_LAST=1 measure "option-channels_last-compile-$dtype" "$config" --amp "$dtype" -- "$compiled"
    done
    return "$failed"
}

# NAME CONFIG MODE [FLAG ...]: both sides, in figures/NAME.mmdet.json and NAME.here.json.
beside() {
    local name=$1 side python
    shift
    for side in mmdet here; do
        echo "-- $name, $side"
        python=$PYTHON
        [[ $side == here ]] || python=$PEER_PYTHON
        # The last line is the figures.
        "$python" "$bench" "$@" --data "$COCO_ROOT" "${sizes[@]}" | tail -n 1 | tee "$logs/figures/$name.$side.json" ||
            { rm -f -- "$logs/figures/$name.$side.json" && failed=1; }
    done
}

peer() {
    local failed=0 model config dtype number bench=${PEER_BENCH:-../shared/peer/bench.py}
    if [[ -z ${PEER_PYTHON:-} ]]; then
        echo 'skipped: PEER_PYTHON does not name an interpreter that has mmdet 3.3'
        return
    fi
    if [[ ! -f $bench ]]; then
        echo "skipped: there is no $bench, and PEER_BENCH names no other"
        return
    fi
    figures
    for model in solo decoupled solov2; do
        config=${configs[$model]}
        beside "$model-train" "$config" train
        for dtype in $(mixed); do
            beside "$model-train-$dtype" "$config" train --amp "$dtype"
        done
        for number in 500 5; do
            beside "$model-test-$number" "$config" test --candidates "$number"
        done
    done
    return "$failed"
}

table() { "$PYTHON" tools/analysis_tools/benchmark_table.py "$logs/figures" | tee -- "$logs/figures/table.md"; }

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    usage
    exit
fi
if [[ ${1:-} == --dry ]]; then
    dry=1
    logs=work_dirs/gpu-dry
    shift
fi
for stage in "$@"; do
    [[ " ${stages[*]} " == *" $stage "* ]] || die "there is no stage $stage: the stages are ${stages[*]}"
done
setup_env
mkdir -p -- "$logs"
if [[ $dry ]]; then
    [[ $# -gt 0 ]] || set -- models options peer table
else
    "$PYTHON" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' ||
        die 'PyTorch sees no GPU here: bash tests/run.sh runs what needs none; --dry tries the commands'
    [[ $# -gt 0 ]] || set -- "${stages[@]}"
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
fi
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
