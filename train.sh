#!/usr/bin/env bash
# Sets up the environment; tools/quick_start.py trains and draws predicted masks.
set -euo pipefail
# shellcheck source=tools/setup_env.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/tools/setup_env.sh"

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    cat <<'EOT'
usage: bash train.sh [CONFIG | FOLDER] [options of tools/train.py]

FOLDER: data of your own, in the format of COCO, YOLO and others: what it is is found out, and a config
is written to work_dirs/, which trains on it.
Without either: SOLO R50 on COCO where COCO is in data/coco or in the folder that COCO_ROOT names, else
SOLO R18 on the embedded data set, which needs no download.
The first run makes .venv and installs into it, unless the active Python environment has this package.
PYTHON=/path/to/python3 names the interpreter to use.

The options of tools/train.py: bash train.sh CONFIG --help
EOT
    exit
fi
setup_env
exec "$PYTHON" "$repo/tools/quick_start.py" "$@"
