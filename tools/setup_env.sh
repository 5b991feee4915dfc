#!/usr/bin/env bash
# Set-up, shared by train.sh, train_dist.sh, tests/run.sh and .ci/run: they source this file and call
# `setup_env`, which sets PYTHON to an interpreter that has this package, and installs it where none has.
# `bash tools/setup_env.sh` does the set-up and nothing else.

set -euo pipefail

repo=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

# The last line of a run that its user can mend: exit code 2.
die() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# Any supported Python can do the set-up: tools/set_up needs its standard library alone.
setup_env() {
    local candidate candidates=(python3 python3.13 python3.12 python3.11 "$repo/.venv/bin/python")
    [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            PYTHON=$("$candidate" "$repo/tools/set_up") || exit
            export PYTHON
            return
        fi
    done
    [[ -z ${PYTHON:-} ]] || die "PYTHON=$PYTHON is not Python 3.11, 3.12 or 3.13: name another, or unset it"
    die "Python 3.11, 3.12 or 3.13 is needed and none was found: install one, or name it with PYTHON=/path/to/python3"
}

# The tests' own requirements, on top of `setup_env`.
setup_tests() {
    "$PYTHON" -m pip install --quiet --disable-pip-version-check -r "$repo/requirements-test.txt" ||
        die "requirements-test.txt could not be installed with $PYTHON -m pip: see above"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || setup_env
