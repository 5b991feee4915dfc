#!/usr/bin/env bash
# Runs the tests, after all the set-up they need. Arguments go to pytest: bash tests/run.sh -k shapes
# With --faults also those that inject faults for minutes, see docs/reliability.md.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/setup_env.sh
source tools/setup_env.sh
setup_env
setup_tests
exec "$PYTHON" -m pytest "$@"
