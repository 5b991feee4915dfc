#!/usr/bin/env bash
# Runs the tests, after all the set-up they need. Arguments go to pytest: bash tests/run.sh -k shapes
# With --faults also those that inject faults for minutes, see docs/reliability.md.
# Files are shared out to a process for each core, four at most; -n 0 keeps them in one.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/setup_env.sh
source tools/setup_env.sh
setup_env
setup_tests
exec "$PYTHON" -m pytest -n auto --maxprocesses 4 --dist loadfile "$@"
