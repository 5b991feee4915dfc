#!/usr/bin/env bash
# Runs the tests of what is optional: exported files, the web page in a real browser, videos, other libraries.
# All of it is installed into .venv-extras, which sees the plain environment: so tests/run.sh goes on showing what that
# can do by itself. Arguments go to pytest in place of the folders.
#
# The browser is Debian's: root installs it where it is missing; without it its tests skip, and say so.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/setup_env.sh
source tools/setup_env.sh
setup_env
setup_tests
if ! command -v chromedriver >/dev/null && command -v apt-get >/dev/null && [[ $EUID == 0 ]]; then
    apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium chromium-driver >/dev/null ||
        echo 'extras: no browser could be installed; its tests will skip' >&2
fi
extras=$PWD/.venv-extras
[[ -x $extras/bin/python ]] || "$PYTHON" -m venv "$extras"
packages=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
beside=$("$extras/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf 'import site; site.addsitedir(%s)\n' "\"$packages\"" >"$beside/plain.pth"
mapfile -t wanted < <("$PYTHON" -c "
import tomllib
extras = tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']
names = ('albu', 'demo', 'export', 'parquet', 'supervision', 'tensorboard', 'video')
print(*(each for name in names for each in extras[name]), sep='\n')")
"$extras/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements-extras.txt "${wanted[@]}" ||
    die "the extras could not be installed with $extras/bin/python -m pip: see above"
if [[ $# -eq 0 ]]; then
    set -- tests/{apis,cli,demo,export,web} tests/datasets/conversion/test_to_parquet.py \
        tests/datasets/formats/test_parquet.py tests/datasets/transforms/test_albu.py \
        tests/engine/{dataset_report,result_report}/test_page.py tests/tools/test_trackers.py \
        tests/test_user_configs.py::test_class_balanced_albu
fi
exec "$extras/bin/python" -m pytest -n auto --maxprocesses 4 --dist loadfile "$@"
