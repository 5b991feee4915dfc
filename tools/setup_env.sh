#!/usr/bin/env bash
# Set-up, shared by train.sh, train_dist.sh, tests/run.sh and .ci/run: they source this file and call
# `setup_env`, which sets PYTHON to an interpreter that has this package, and installs it where none has.
# `bash tools/setup_env.sh` does the set-up and nothing else.

set -euo pipefail

repo=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$repo/.venv

say() { printf '[set-up] %s\n' "$*"; }

# The last line of a run that its user can mend: exit code 2.
die() {
    printf '%s: %s\n' "$(basename -- "$0")" "$*" >&2
    exit 2
}

# use_config FILE: sets `config`. FILE is looked for from here, then from the repository's root, which
# becomes the working directory where it is only there (as in mmdetection, data/ and work_dirs/ are
# relative to the working directory).
use_config() {
    config=$1
    [[ -f $config ]] && return
    [[ -f $repo/$config ]] || die "no such config file: $config (looked in $PWD and in $repo)"
    cd -- "$repo" || exit
}

# probe INTERPRETER: four lines on its environment: whose `mmdet` it has (ours, foreign, none), where that
# lies, the interpreter's path, the environment's. No output where it does not run. Imports nothing big.
probe() {
    "$1" - "$repo" 2>/dev/null <<'PY'
import importlib.metadata
import importlib.util
import json
import os
import sys

repo = sys.argv[1]
sys.path = [path for path in sys.path if path]
# An egg-info left in the checkout is no installation, though PYTHONPATH may point there.
installed = [path for path in sys.path if os.path.realpath(path) != repo]


def distribution(name):
    return next(iter(importlib.metadata.distributions(name=name, path=installed)), None)


def state():
    other = distribution('mmdet')
    if other:
        return 'foreign', os.path.realpath(str(other.locate_file('')))
    ours = distribution('mmdet-solo')
    if not ours:
        return 'none', ''
    spec = importlib.util.find_spec('mmdet')
    if not spec or not spec.origin:
        return 'none', ''
    found = os.path.realpath(os.path.join(spec.origin, '../..'))
    source = json.loads(ours.read_text('direct_url.json') or '{}')
    if found == repo or not source.get('dir_info', {}).get('editable'):
        home = os.path.realpath(str(ours.locate_file('')))
        return ('ours' if found in (repo, home) else 'foreign'), found
    # Another checkout's, whose code would run instead of this one's; or something on PYTHONPATH hides it.
    from urllib.parse import unquote, urlparse

    home = os.path.realpath(unquote(urlparse(source['url']).path))
    return ('none' if found == home else 'foreign'), found


print(*state(), sys.executable, os.path.realpath(sys.prefix), sep='\n')
PY
}

# What .venv was made from: when this changes the installation is done again.
fingerprint() {
    printf '%s\n' "$repo"
    {
        printf '%s\0' "$repo"/{requirements.txt,pyproject.toml,setup.py}
        find "$repo/csrc" -type f -print0 | LC_ALL=C sort -z
    } | xargs -0 cat -- | cksum
}

is_complete() {
    [[ $1 == ours && $(cat -- "$venv/.installed" 2>/dev/null) == "$(fingerprint)" ]]
}

supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

die_of_foreign() {
    die "the \`mmdet\` in $1 (OpenMMLab's?) would clash with this package, which has the same import name:" \
        "uninstall it (${2@Q} -m pip uninstall mmdet), take it off PYTHONPATH, or use another environment"
}

create_venv() {
    local candidate without_venv=
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
        if supported "$candidate"; then
            if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
                say "creating $venv with $("$candidate" --version)"
                "$candidate" -m venv --clear "$venv" || die "$venv could not be created: see above"
                return
            fi
            [[ -n $without_venv ]] || without_venv=$("$candidate" -c \
                'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        fi
        [[ -z ${PYTHON:-} ]] || break
    done
    [[ -z $without_venv ]] || die "Python's venv module is incomplete: apt-get install $without_venv"
    [[ -z ${PYTHON:-} ]] || die "PYTHON=$PYTHON is not Python 3.11, 3.12 or 3.13: name another, or unset it"
    die "Python 3.11, 3.12 or 3.13 is needed and none was found: install one, or name it with PYTHON=/path/to/python3"
}

# Leaves one readable line for each long step; the rest goes to the log.
pip_install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off "$@" 2>&1 |
        tee -- "$venv/install.log" |
        sed -Enu \
            -e 's|^ *Downloading ([^ ]*/)?([^ /-]+-[^ /-]+)[^ ]* \(([0-9]{2,}\.[0-9]+ MB\|.* GB)\)$|[set-up]   downloading \2 (\3)|p' \
            -e 's|^Installing collected packages:.*|[set-up]   unpacking: a minute or more|p' \
            -e 's|.*building extension "mmdet\._C" failed: |[set-up]   the ops could not be compiled: |p' \
            -e 's|.*the CUDA kernels could not be compiled and are left out: |[set-up]   no CUDA kernels: |p' \
            -e '/^(ERROR|WARNING: Retrying)/p'
}

install() {
    trap 'echo "interrupted: the next run goes on from here" >&2; exit 130' INT TERM
    rm -f -- "$venv/.installed"
    "$venv/bin/python" -c '' 2>/dev/null || create_venv
    supported "$venv/bin/python" ||
        die "$venv has $("$venv/bin/python" --version), not Python 3.11 to 3.13: remove it and try again"

    # pip writes INSTALLER last: what has none was interrupted, though pip would take it as installed.
    local info
    for info in "$venv"/lib/python3.*/site-packages/*.dist-info; do
        [[ ! -d $info || -e $info/INSTALLER ]] || rm -r -- "$info"
    done
    if ! "$venv/bin/python" -c 'import importlib.metadata as m; m.version("pip")' 2>/dev/null; then
        "$venv/bin/python" -m ensurepip >/dev/null || die "pip could not be installed in $venv: see above"
    fi

    say "installing requirements.txt in $venv (the first time 2 minutes or more and 6 GB, most of it PyTorch)"
    # setuptools builds this package without a build environment of its own, which would bring another torch.
    pip_install -r "$repo/requirements.txt" 'setuptools>=77' ||
        die "the requirements could not be installed: see above, and the whole log in $venv/install.log"
    say 'installing this package, editable, and compiling its ops (a minute or two)'
    rm -f -- "$repo"/mmdet/_C*.so
    # With timm, which some of the configs need.
    pip_install --verbose --no-build-isolation -e "$repo[timm]" ||
        die "this package could not be installed: see above, and the whole log in $venv/install.log"
    compgen -G "$repo/mmdet/_C*.so" >/dev/null ||
        say "going on without the compiled ops: slower ones take their place ($venv/install.log says why)"
    fingerprint >"$venv/.installed"
}

# OpenCV's wheel needs two libraries of a desktop system, which servers and containers may lack.
check_opencv() {
    local error
    error=$("$PYTHON" -c 'import cv2' 2>&1 >/dev/null) && return
    error=${error##*$'\n'}
    case $error in
        *libGL* | *libgthread* | *libglib*)
            die "OpenCV lacks a system library ($error): apt-get install libgl1 libglib2.0-0" \
                "(Debian, Ubuntu) or dnf install mesa-libGL glib2 (Fedora, RHEL)"
            ;;
        *) die "OpenCV cannot be imported with $PYTHON: $error" ;;
    esac
}

setup_env() {
    local active here
    mapfile -t active < <(probe "${PYTHON:-python3}")
    mapfile -t here < <(probe "$venv/bin/python")

    if [[ -n ${active[2]:-} && ${active[3]} != "${here[3]:-}" ]]; then
        case ${active[0]} in
            ours)
                PYTHON=${active[2]}
                say "using $PYTHON, which has this package (${active[1]})"
                export PYTHON
                check_opencv
                return
                ;;
            foreign)
                # A bare system Python does not touch .venv; an environment that was chosen is meant to be used.
                [[ -z ${PYTHON:-}${VIRTUAL_ENV:-}${CONDA_PREFIX:-} ]] || die_of_foreign "${active[1]}" "${active[2]}"
                ;;
        esac
        [[ -z ${VIRTUAL_ENV:-}${CONDA_PREFIX:-} ]] ||
            say "the active environment (${active[2]}) does not have this checkout's package: using .venv instead"
    fi

    [[ ${here[0]:-} != foreign ]] || die_of_foreign "${here[1]}" "${here[2]}"
    if ! is_complete "${here[0]:-none}"; then
        # Several nodes that share a file system may come here at once: one installs, the others wait.
        (
            if command -v flock >/dev/null; then
                flock -n 9 || { say 'waiting for another set-up' && flock 9; }
            fi
            mapfile -t here < <(probe "$venv/bin/python")
            is_complete "${here[0]:-none}" || install
        ) 9>"$repo/.venv.lock" || exit
    fi
    PYTHON=$venv/bin/python
    say "using $PYTHON"
    export PYTHON
    check_opencv
}

# The tests' own requirements, on top of `setup_env`.
setup_tests() {
    "$PYTHON" -m pip install --quiet --disable-pip-version-check -r "$repo/requirements-test.txt" ||
        die "requirements-test.txt could not be installed with $PYTHON -m pip: see above"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || setup_env
