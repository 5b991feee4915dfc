"""What setup.py builds, with stand-ins for the compilers, which note how they were called."""

import re
import shlex
import subprocess
import sys
import zipfile

import pytest

from tests.conftest import REPO

# What a compiler leaves: the file after -o.
COMPILER = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
while [ $# -gt 0 ]; do [ "$1" = -o ] && : >"$2"; shift; done
"""
NVCC = """#!/bin/sh
if [ "$1" = --list-gpu-arch ]; then
    for number in 50 60 70 75 80 86 90 100 103 120; do echo compute_$number; done
    exit
fi
"""
LAUNCHER = '#!/bin/sh\nexec "$@"\n'


@pytest.fixture
def tools(tmp_path):
    """A folder of stand-ins that comes first on the PATH."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for name, text in {
        'c++': COMPILER,
        'my-c++': COMPILER,
        'nvcc': NVCC + COMPILER.removeprefix('#!/bin/sh'),
        'ccache': LAUNCHER,
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


class Build:
    """A run of setup.py: what it printed, and how the compilers were called."""

    def __init__(self, done: subprocess.CompletedProcess, calls: list[list[str]]) -> None:
        self.returncode = done.returncode
        self.printed = done.stdout
        self.calls = calls

    def of(self, program: str) -> list[list[str]]:
        return [arguments for name, *arguments in self.calls if name == program]


@pytest.fixture
def setup_py(tmp_path, environment, tools):
    """Run setup.py with some of the environment changed."""

    def run(*arguments: str, **changes: str) -> Build:
        calls = tmp_path / 'calls'
        calls.write_text('')
        kept = {
            name: value
            for name, value in environment.items()
            if name not in ('CXX', 'CUDA_HOME', 'NVCC_CCBIN', 'FORCE_CUDA', 'TORCH_CUDA_ARCH_LIST')
        }
        path = f'{tools}:{environment["PATH"]}'
        done = subprocess.run(
            [sys.executable, 'setup.py', *arguments],
            cwd=REPO,
            env={**kept, 'PATH': path, 'CALLS': str(calls), **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Build(done, [shlex.split(line) for line in calls.read_text().splitlines()])

    return run


@pytest.fixture
def build(setup_py, tmp_path):
    """Build the extension, below `tmp_path`."""

    def run(**changes: str) -> Build:
        folders = [f'--build-temp={tmp_path}', f'--build-lib={tmp_path / "lib"}']
        return setup_py('build_ext', *folders, **changes)

    return run


@pytest.fixture
def wheel(setup_py, tmp_path):
    """Build a wheel; return the file's name after the version, and the names in it."""

    def run(**changes: str) -> tuple[str, list[str]]:
        folders = [f'--build-base={tmp_path}', 'egg_info', f'--egg-base={tmp_path}']
        options = [f'--dist-dir={tmp_path}', f'--bdist-dir={tmp_path / "wheel"}']
        done = setup_py('build', *folders, 'bdist_wheel', *options, **changes)
        (path,) = tmp_path.glob('*.whl') or [pytest.fail(done.printed)]
        return re.sub(r'.*?-.*?-', '', path.stem, count=1), zipfile.ZipFile(path).namelist()

    return run


def assert_architectures(build: Build, *flags: str) -> None:
    for call in build.of('nvcc'):
        if '-c' in call:
            assert [flag for flag in call if flag.startswith('-gencode')] == list(flags)
    assert build.of('nvcc')


# --- the compilers ------------------------------------------------------------------------------


def test_no_compiler_is_no_failure(build, tmp_path):
    done = build(CXX='no-such-compiler')
    assert done.returncode == 0
    assert 'no C++ compiler was found (looked for no-such-compiler)' in done.printed
    assert not list(tmp_path.rglob('*.so'))


def test_force_cuda_fails_loudly(build):
    done = build(FORCE_CUDA='1', CUDA_HOME='/nowhere')
    assert done.returncode != 0
    assert 'FORCE_CUDA=1, but no nvcc was found (looked for /nowhere/bin/nvcc)' in done.printed


def test_force_cuda_is_told_from_what_is_no_answer(build):
    done = build(FORCE_CUDA='maybe')
    assert done.returncode != 0
    assert 'FORCE_CUDA=maybe is neither 0 nor 1' in done.printed


def test_without_cuda_where_it_is_not_wanted(build, tmp_path):
    done = build(FORCE_CUDA='0')
    assert done.returncode == 0
    assert not done.of('nvcc')
    assert list(tmp_path.rglob('*.so'))


@pytest.mark.parametrize(
    ('changes', 'compiler', 'options'),
    [
        (dict(), 'c++', []),
        (dict(CXX='ccache my-c++'), 'my-c++', []),
        (dict(CXX='my-c++ -m64 -B /usr'), 'my-c++', ['-Xcompiler=-m64', '-Xcompiler=-B']),
        (dict(CXX='ccache my-c++', NVCC_CCBIN='other'), 'other', []),
    ],
    ids=str,
)
def test_nvcc_gets_the_compiler_that_several_words_name(build, changes, compiler, options):
    done = build(FORCE_CUDA='1', **changes)
    assert done.returncode == 0, done.printed
    assert done.of('my-c++' if 'CXX' in changes else 'c++')
    calls = done.of('nvcc')
    assert sum('-c' in call for call in calls) == len(list((REPO / 'csrc/cuda').glob('*.cu')))
    assert sum('-shared' in call for call in calls) == 1
    for call in calls:
        assert call[call.index('-ccbin') + 1] == compiler
        assert all(option in call for option in options)


# --- CUDA's architectures -----------------------------------------------------------------------


def test_architectures_as_they_are_listed(build):
    done = build(FORCE_CUDA='1', TORCH_CUDA_ARCH_LIST='8.0;9.0+PTX')
    assert_architectures(
        done,
        '-gencode=arch=compute_80,code=sm_80',
        '-gencode=arch=compute_90,code=sm_90',
        '-gencode=arch=compute_90,code=compute_90',
    )


def test_every_generation_from_one_ptx_where_none_is_listed(build):
    done = build(FORCE_CUDA='1')
    codes = 'sm_70,sm_80,sm_90,sm_100,sm_120,compute_70'
    assert_architectures(done, f'-gencode=arch=compute_70,code=[{codes}]')


# --- the wheel ----------------------------------------------------------------------------------


def test_a_wheel_with_the_library_is_of_this_platform(wheel):
    tag, names = wheel(FORCE_CUDA='0')
    assert re.fullmatch(r'cp311-abi3-linux_\w+', tag)
    assert 'mmdet/_C.abi3.so' in names
    assert 'mmdet/py.typed' in names
    assert not [name for name in names if name.startswith(('csrc', 'tests', 'tools'))]


def test_a_wheel_without_the_library_says_so_in_its_name(wheel):
    tag, names = wheel(CXX='no-such-compiler')
    assert tag == 'py3-none-any'
    assert 'mmdet/__init__.py' in names
    assert not [name for name in names if name.endswith('.so')]


# As the command that an installation leaves in bin/.
COMMAND = """
import importlib.metadata as metadata
(script,) = metadata.distribution('mmdet-solo').entry_points.select(name='mmdet-solo')
script.load()()
"""


def test_an_installed_package_trains_and_tests_without_the_checkout(
    wheel, environment, shapes_root, tmp_path
):
    wheel(CXX='no-such-compiler')
    site, here = tmp_path / 'site', tmp_path / 'here'
    here.mkdir()
    (path,) = tmp_path.glob('*.whl')
    zipfile.ZipFile(path).extractall(site)

    def mmdet_solo(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, '-P', '-c', COMMAND, *arguments],
            cwd=here,
            env={**environment, 'PYTHONPATH': str(site)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    name, data = 'solo_r18_fpn_shapes-cpu', ('--data-root', str(shapes_root))
    loader = ('batch_size=6', 'num_workers=0', 'persistent_workers=False')
    options = [f'train_dataloader.{setting}' for setting in loader]
    said = mmdet_solo(
        *('train', name, *data, '--cfg-options', 'train_cfg.max_epochs=1', 'val_cfg=None'),
        *('val_dataloader=None', 'val_evaluator=None', *options),
    )
    assert f'{site}/mmdet/.mim/configs/solo/{name}.py' in said
    mmdet_solo('test', name, f'work_dirs/{name}/epoch_1.pth', *data)
    assert (here / f'work_dirs/{name}/metrics.json').is_file()


# --- what is checked ----------------------------------------------------------------------------


def test_the_tools_before_a_commit_are_those_of_ci():
    hooks = (REPO / '.pre-commit-config.yaml').read_text()
    pinned = dict(re.findall(r'^(\w+)==(.*)$', (REPO / 'requirements-test.txt').read_text(), re.M))
    assert set(re.findall(r'\[ruff==(.*)\]', hooks)) == {pinned['ruff']}


def test_no_nvcc_is_told_from_success(environment):
    done = subprocess.run(
        ['bash', 'tools/compile_cuda.sh'],
        cwd=REPO,
        env={**environment, 'CUDA_HOME': '/nowhere'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 77
    assert 'SKIPPED: there is no nvcc (looked for /nowhere/bin/nvcc)' in done.stderr
