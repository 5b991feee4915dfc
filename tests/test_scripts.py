"""The shell scripts and the set-up, run for real in a copy of the checkout.

The copy has stand-ins for the tools that they hand over to, which note how they were called, and
for pip. Nothing is installed and no network is needed.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest

from mmdet.cli import benchmark
from mmdet.engine.config import load_config, use_mixed_precision

REPO = Path(__file__).resolve().parents[1]
COPIED = (
    'train.sh',
    'train_dist.sh',
    'tests/run_gpu.sh',
    'tools/setup_env.sh',
    'tools/set_up/__main__.py',
    'tools/set_up/install.py',
    'tools/set_up/probe.py',
    'requirements.txt',
    'pyproject.toml',
    'setup.py',
    'csrc/ops.cpp',
)
COCO_CONFIG = 'configs/solo/solo_r50_fpn_1x_coco.py'
SHAPES_CONFIG = 'configs/solo/solo_r18_fpn_shapes.py'

TOOL = """
import json, os, sys, time
from pathlib import Path

call = {'tool': Path(sys.argv[0]).name, 'args': sys.argv[1:]}
call |= {'cwd': os.getcwd(), 'pid': os.getpid(), 'last': os.environ.get('MMDET_CHANNELS_LAST')}
with open(os.environ['CALLS'], 'a') as calls:
    calls.write(json.dumps(call) + '\\n')
if '--fail' in sys.argv:
    print('error: no annotations in data/coco', file=sys.stderr)
    sys.exit(2)
"""
TOOLS = (
    *('train', 'quick_start', 'train_dist'),
    *('analysis_tools/benchmark', 'analysis_tools/benchmark_table'),
)
PIP = """
import os, shutil, sys, time
from pathlib import Path
with open(os.environ['CALLS'] + '.pip', 'a') as calls:
    calls.write(' '.join(sys.argv[1:]) + '\\n')
if os.environ.get('PIP_WAITS'):
    time.sleep(100)
if os.environ.get('PIP_FAILS'):
    sys.exit('ERROR: no such package')
if '-e' in sys.argv:
    here = Path(__file__).parent
    shutil.copytree(here / 'installs', here.parent, dirs_exist_ok=True)
"""


def make_environment(path):
    """A virtual environment of this interpreter without pip, and the folder of its packages."""
    venv.create(path, symlinks=True)
    site = path / 'lib' / f'python{sys.version_info[0]}.{sys.version_info[1]}' / 'site-packages'
    (site / 'cv2.py').touch()
    return site


def add_distribution(site, name, version='0.1.0'):
    info = site / f'{name.replace("-", "_")}-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
    (info / 'INSTALLER').write_text('pip\n')
    return info


def add_ours(site, checkout):
    """What an editable installation of `checkout` leaves."""
    info = add_distribution(site, 'mmdet-solo')
    url = {'url': checkout.as_uri(), 'dir_info': {'editable': True}}
    (info / 'direct_url.json').write_text(json.dumps(url))
    (site / 'ours.pth').write_text(f'{checkout}\n')


def add_pip(site, checkout):
    """A pip that notes its arguments, and that installs `checkout` when asked for `-e`."""
    add_distribution(site, 'pip')
    (site / 'pip' / 'installs').mkdir(parents=True)
    (site / 'pip' / '__main__.py').write_text(PIP)
    add_ours(site / 'pip' / 'installs', checkout)


class Checkout:
    """A copy of the checkout, and an active environment that has it installed."""

    def __init__(self, tmp_path):
        self.path = tmp_path / 'a checkout'
        self.calls_file = tmp_path / 'calls'
        for name in COPIED:
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / name, self.path / name)
        files = {
            'mmdet/__init__.py': '',
            **{f'tools/{name}.py': TOOL for name in TOOLS},
        }
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        self.active = tmp_path / 'active'
        self.site = make_environment(self.active)
        self.env = {
            'PATH': f'{self.active}/bin:{os.environ["PATH"]}',
            'VIRTUAL_ENV': str(self.active),
            'CALLS': str(self.calls_file),
            'CUDA_VISIBLE_DEVICES': '',
        }

    def start(self, script, *args, cwd=None, **env):
        return subprocess.Popen(
            ['bash', str(self.path / script), *args],
            cwd=cwd or self.path,
            env={**self.env, **{name: str(value) for name, value in env.items()}},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, script, *args, cwd=None, **env):
        process = self.start(script, *args, cwd=cwd, **env)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @property
    def calls(self):
        if not self.calls_file.exists():
            return []
        return [json.loads(line) for line in self.calls_file.read_text().splitlines()]

    @property
    def pip_calls(self):
        calls = Path(f'{self.calls_file}.pip')
        return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def bare(tmp_path):
    """A checkout that is installed nowhere."""
    return Checkout(tmp_path)


@pytest.fixture
def checkout(bare):
    """A checkout that the active environment has installed."""
    add_ours(bare.site, bare.path)
    return bare


def assert_mendable(result, *words):
    """Exit code 2, and one last line that holds `words`."""
    assert result.returncode == 2, result.stdout + result.stderr
    last = result.stderr.splitlines()[-1]
    assert all(word in last for word in words), last


# --- train.sh and train_dist.sh -----------------------------------------------------------------


def test_train_hands_its_arguments_over_with_the_working_directory(checkout, tmp_path):
    options = ['my.py', '--work-dir', 'my results', '--cfg-options', 'a=b c', 'd=[1,2]']
    result = checkout.run('train.sh', *options, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (call,) = checkout.calls
    assert (call['tool'], call['args']) == ('quick_start.py', options)
    assert call['cwd'] == str(tmp_path)


def test_dist_hands_its_arguments_over(checkout):
    options = [SHAPES_CONFIG, '2', '--cfg-options', 'a=b c']
    assert checkout.run('train_dist.sh', *options).returncode == 0
    (call,) = checkout.calls
    assert (call['tool'], call['args']) == ('train_dist.py', options)


@pytest.mark.parametrize('script', ['train.sh', 'train_dist.sh'])
def test_the_exit_code_is_that_of_the_training(checkout, script):
    result = checkout.run(script, SHAPES_CONFIG, '2', '--fail')
    assert_mendable(result, 'no annotations')


@pytest.mark.parametrize('script', ['train.sh', 'train_dist.sh'])
def test_the_training_takes_the_scripts_place(checkout, script):
    """So signals reach it, whoever sends them."""
    process = checkout.start(script, SHAPES_CONFIG, '2')
    process.communicate(timeout=60)
    assert [call['pid'] for call in checkout.calls] == [process.pid]


@pytest.mark.parametrize('script', ['train.sh', 'train_dist.sh'])
def test_help_needs_no_set_up(bare, script):
    result = bare.run(script, '--help')
    assert result.returncode == 0
    assert result.stdout.startswith(f'usage: bash {script} ')
    assert result.stderr == ''


@pytest.mark.parametrize('args', [[], [SHAPES_CONFIG], [SHAPES_CONFIG, '0'], [SHAPES_CONFIG, '-a']])
def test_dist_rejects_wrong_arguments_before_any_set_up(bare, args):
    result = bare.run('train_dist.sh', *args)
    assert_mendable(result, 'usage:')
    assert len(result.stderr.splitlines()) == 1


# --- tests/run_gpu.sh ---------------------------------------------------------------------------


@pytest.fixture
def gpu(checkout):
    """A checkout on a machine that says it has a GPU."""
    (checkout.site / 'torch.py').write_text('class cuda:\n    is_available = lambda: True\n')
    nvidia_smi = checkout.active / 'bin/nvidia-smi'
    nvidia_smi.write_text('#!/bin/sh\n')
    nvidia_smi.chmod(0o755)
    return checkout


def test_gpu_wants_a_gpu(checkout):
    (checkout.site / 'torch.py').write_text('class cuda:\n    is_available = lambda: False\n')
    assert_mendable(checkout.run('tests/run_gpu.sh'), 'no GPU', 'tests/run.sh')
    assert checkout.calls == []


def test_gpu_names_a_stage_that_does_not_exist(bare):
    assert_mendable(bare.run('tests/run_gpu.sh', 'shapes', 'sharks'), 'sharks', 'sanitize')


def test_gpu_goes_on_after_a_stage_that_failed_and_says_which(gpu):
    result = gpu.run('tests/run_gpu.sh', 'coco', 'shapes')
    assert result.returncode == 1, result.stdout + result.stderr
    coco, shapes, _ = result.stdout.splitlines()[-3:]
    assert coco.startswith('coco') and coco.endswith('failed, exit code 2')
    assert shapes.startswith('shapes') and shapes.endswith('passed')
    logs = gpu.path / 'work_dirs/gpu'
    assert 'COCO_ROOT' in (logs / 'coco.log').read_text()
    assert [call['tool'] for call in gpu.calls] == ['quick_start.py']
    assert gpu.calls[0]['args'][-1] == 'work_dirs/gpu/shapes/data'
    assert (logs / 'shapes/data').is_dir()


def test_gpu_trains_coco_in_both_precisions(gpu, tmp_path):
    result = gpu.run('tests/run_gpu.sh', 'coco', COCO_ROOT=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert ['--amp' in call['args'] for call in gpu.calls] == [False, True]
    assert all(call['args'][0] == COCO_CONFIG for call in gpu.calls)


def options_of(call) -> list[str]:
    """The settings that a call has after `--cfg-options`."""
    return call['args'][call['args'].index('--cfg-options') + 1 :]


def test_gpu_measures_what_the_benchmark_knows(gpu, tmp_path):
    result = gpu.run('tests/run_gpu.sh', 'models', 'options', 'table', COCO_ROOT=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    *calls, table = gpu.calls
    assert table['tool'] == 'benchmark_table.py' and table['args'] == ['work_dirs/gpu/figures']
    asked = [benchmark.parse_args(call['args']) for call in calls]
    for args, call in zip(asked, calls, strict=True):
        benchmark._check_arguments(args)
        assert args.data_root == str(tmp_path)
        cfg = load_config(args)
        if args.amp is not None:
            stage = 'train' if args.mode == 'train' else 'test'
            use_mixed_precision(cfg, stage, dtype=args.amp)
        assert 'compile=True' not in options_of(call) or cfg.compile is True
    files = [args.json for args in asked]
    assert len(set(files)) == len(files)
    models = {args.config for args in asked}
    assert len(models) == 3
    for model in models:
        trained = {args.amp for args in asked if (args.config, args.mode) == (model, 'train')}
        assert trained == {None, 'float16', 'bfloat16'}
        tested = {args.candidates for args in asked if (args.config, args.mode) == (model, 'test')}
        assert tested == {500, 5}
    assert {args.mode for args in asked} == {'train', 'data', 'test', 'eval'}
    last = [args.json for args, call in zip(asked, calls, strict=True) if call['last'] == '1']
    assert last == [name for name in files if 'channels_last' in name] and len(last) == 5


def test_gpu_goes_on_after_a_measurement_that_failed(gpu, tmp_path):
    fails = 'if "bfloat16" in __import__("sys").argv: raise SystemExit(1)\n'
    (gpu.path / 'tools/analysis_tools/benchmark.py').write_text(fails + TOOL)
    result = gpu.run('tests/run_gpu.sh', 'options', COCO_ROOT=tmp_path)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-2].endswith('failed, exit code 1')
    assert len(gpu.calls) == 10 and gpu.calls[-1]['args'].count('float16') == 1


def test_gpu_is_tried_without_one(checkout, tmp_path):
    result = checkout.run('tests/run_gpu.sh', '--dry', COCO_ROOT=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'skipped: PEER_PYTHON does not name' in result.stdout
    *calls, _ = checkout.calls
    for call in calls:
        cfg = load_config(benchmark.parse_args(call['args']))
        assert cfg.train_dataloader.dataset.pipeline[2].scale == (96, 64)
        assert cfg.test_dataloader.dataset.pipeline[1].scale == (96, 64)
        assert cfg.train_dataloader.num_workers == 0
        assert 'float16' not in call['args']


def test_gpu_measures_both_sides(gpu, tmp_path):
    bench = tmp_path / 'bench.py'
    bench.write_text(
        'import json, sys\n'
        'if "bfloat16" in sys.argv: sys.exit("no memory")\n'
        'print("hello")\nprint(json.dumps(dict(who=sys.executable, args=sys.argv[1:])))\n'
    )
    theirs = make_environment(tmp_path / 'theirs').parents[2] / 'bin/python'
    settings = dict(COCO_ROOT=tmp_path, PEER_PYTHON=theirs, PEER_BENCH=bench)
    result = gpu.run('tests/run_gpu.sh', 'peer', **settings)
    assert result.returncode == 1
    figures = {
        path.name.removesuffix('.json'): json.loads(path.read_text())
        for path in (gpu.path / 'work_dirs/gpu/figures').iterdir()
    }
    works = ('train', 'train-float16', 'test-500', 'test-5')
    assert figures.keys() == {
        f'{model}-{work}.{side}'
        for model in ('solo', 'decoupled', 'solov2')
        for work in works
        for side in ('mmdet', 'here')
    }
    for name, said in figures.items():
        assert (said['who'] == str(theirs)) == name.endswith('.mmdet')
    ours, mmdets = (figures[f'solo-test-5.{side}']['args'] for side in ('here', 'mmdet'))
    assert ours == mmdets
    assert ours[:4] == ['solo/solo_r50_fpn_1x_coco', 'test', '--candidates', '5']


def test_gpu_says_what_the_comparison_lacks(gpu, tmp_path):
    settings = dict(COCO_ROOT=tmp_path, PEER_PYTHON='python3', PEER_BENCH=tmp_path / 'none.py')
    result = gpu.run('tests/run_gpu.sh', 'peer', **settings)
    assert result.returncode == 0
    assert f'skipped: there is no {tmp_path}/none.py' in result.stdout


@pytest.mark.long
def test_gpu_fills_its_tables(tmp_path, shared):
    """All commands of `--dry` for real, and the peer's if there is an interpreter for it."""
    site = make_environment(tmp_path / 'active')
    (site / 'cv2.py').unlink()
    add_ours(site, REPO)
    (site / 'others.pth').write_text(f'{sysconfig.get_path("purelib")}\n')
    figures = REPO / 'work_dirs/gpu-dry/figures'
    shutil.rmtree(figures, ignore_errors=True)
    env = os.environ | dict(
        PATH=f'{tmp_path}/active/bin:{os.environ["PATH"]}',
        VIRTUAL_ENV=str(tmp_path / 'active'),
        COCO_ROOT=str(shared / 'data/coco_tiny'),
    )
    env.pop('PYTHONPATH', None)
    run = subprocess.run(
        ['bash', 'tests/run_gpu.sh', '--dry'], cwd=REPO, env=env, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    written = {path.name.removesuffix('.json') for path in figures.glob('*.json')}
    assert len([name for name in written if not name.endswith(('.mmdet', '.here'))]) == 25
    rows = (figures / 'table.md').read_text().splitlines()
    for name in written:
        work = name.removesuffix('.mmdet').removesuffix('.here')
        found = [row for row in rows if row.startswith(f'| {work} | ')]  # also beside the peer's
        assert found and not any(' - ' in row for row in found)


# --- tools/setup_env.sh -------------------------------------------------------------------------


def test_set_up_uses_an_active_environment_that_has_the_package(checkout):
    result = checkout.run('tools/setup_env.sh')
    assert result.returncode == 0, result.stderr
    assert f'using {checkout.active}/bin/python3, ' in result.stderr
    assert not (checkout.path / '.venv').exists()


def test_set_up_stops_at_a_foreign_mmdet_in_the_active_environment(checkout):
    add_distribution(checkout.site, 'mmdet', '3.3.0')
    result = checkout.run('train.sh', SHAPES_CONFIG)
    assert_mendable(result, 'OpenMMLab', str(checkout.site), 'pip uninstall mmdet')
    assert checkout.calls == []


def test_set_up_stops_at_a_foreign_mmdet_in_the_repositorys_environment(bare):
    site = make_environment(bare.path / '.venv')
    add_pip(site, bare.path)
    add_distribution(site, 'mmdet', '3.3.0')
    assert_mendable(bare.run('train.sh', SHAPES_CONFIG), 'OpenMMLab', str(site))
    assert bare.pip_calls == []


def test_set_up_stops_at_a_foreign_mmdet_on_pythonpath(checkout, tmp_path):
    (tmp_path / 'mmdetection/mmdet').mkdir(parents=True)
    (tmp_path / 'mmdetection/mmdet/__init__.py').touch()
    result = checkout.run('train.sh', SHAPES_CONFIG, PYTHONPATH=tmp_path / 'mmdetection')
    assert_mendable(result, str(tmp_path / 'mmdetection'), 'PYTHONPATH')
    assert checkout.calls == []


def test_set_up_takes_no_egg_info_in_the_checkout_for_an_installation(with_venv):
    add_distribution(with_venv.path, 'mmdet-solo')
    result = with_venv.run('tools/setup_env.sh', PYTHONPATH=with_venv.path)
    assert result.returncode == 0, result.stderr
    assert f'using {with_venv.path}/.venv/bin/python\n' in result.stderr


@pytest.fixture
def with_venv(bare):
    """A checkout whose .venv exists, with a stand-in for pip and nothing installed."""
    bare.venv_site = make_environment(bare.path / '.venv')
    add_pip(bare.venv_site, bare.path)
    return bare


def test_set_up_installs_once_and_again_when_the_requirements_change(with_venv):
    result = with_venv.run('train.sh', SHAPES_CONFIG)
    assert result.returncode == 0, result.stderr
    assert 'using .venv instead' in result.stderr
    requirements, package = with_venv.pip_calls
    assert f'-r {with_venv.path}/requirements.txt setuptools>=77' in requirements
    assert f'--no-build-isolation -e {with_venv.path}[timm]' in package

    assert with_venv.run('train.sh', SHAPES_CONFIG).returncode == 0
    assert len(with_venv.pip_calls) == 2
    with (with_venv.path / 'requirements.txt').open('a') as requirements:
        requirements.write('another\n')
    assert with_venv.run('train.sh', SHAPES_CONFIG).returncode == 0
    assert len(with_venv.pip_calls) == 4


def test_set_up_goes_on_after_an_interrupted_installation(with_venv):
    half_done = with_venv.venv_site / 'torch-2.15.0.dist-info'
    half_done.mkdir()
    assert_mendable(with_venv.run('tools/setup_env.sh', PIP_FAILS=1), 'requirements', 'install.log')
    assert not half_done.exists(), 'pip would take it as installed'
    assert with_venv.run('tools/setup_env.sh').returncode == 0
    assert len(with_venv.pip_calls) == 3


def test_set_up_says_that_an_interrupted_installation_goes_on(with_venv):
    process = with_venv.start('train.sh', SHAPES_CONFIG, PIP_WAITS=1)
    while not with_venv.pip_calls:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does on Ctrl-C
    out, err = process.communicate(timeout=20)
    # Either way a shell that waits for it has 130.
    assert process.returncode in (130, -signal.SIGINT), out + err
    assert err.splitlines()[-1] == 'interrupted: the next run goes on from here'
    assert 'Traceback' not in err.split('interrupted')[-1]


def test_set_ups_at_once_install_once(with_venv):
    processes = [with_venv.start('tools/setup_env.sh') for _ in range(3)]
    ends = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    assert len(with_venv.pip_calls) == 2


def test_set_up_does_not_use_another_checkouts_installation(with_venv, tmp_path):
    (tmp_path / 'other/mmdet').mkdir(parents=True)
    (tmp_path / 'other/mmdet/__init__.py').touch()
    add_ours(with_venv.site, tmp_path / 'other')
    result = with_venv.run('tools/setup_env.sh')
    assert result.returncode == 0, result.stderr
    assert f'using {with_venv.path}/.venv/bin/python\n' in result.stderr


def test_set_up_names_the_system_package_that_opencv_lacks(checkout):
    message = 'libGL.so.1: cannot open shared object file: No such file or directory'
    (checkout.site / 'cv2.py').write_text(f'raise ImportError({message!r})\n')
    assert_mendable(checkout.run('train.sh', SHAPES_CONFIG), 'libGL.so.1', 'apt-get install libgl1')


def test_set_up_names_the_system_package_of_pythons_venv(bare, tmp_path):
    (tmp_path / 'no venv').mkdir()
    (tmp_path / 'no venv/ensurepip.py').write_text('raise ImportError')
    result = bare.run('tools/setup_env.sh', PYTHON='python3', PYTHONPATH=tmp_path / 'no venv')
    package = f'python{sys.version_info[0]}.{sys.version_info[1]}-venv'
    assert_mendable(result, f'apt-get install {package}')


def test_set_up_wants_a_python_that_is_supported(bare, tmp_path):
    old = tmp_path / 'python3'
    old.write_text('#!/bin/sh\nexit 1\n')
    old.chmod(0o755)
    assert_mendable(bare.run('tools/setup_env.sh', PYTHON=old), f'PYTHON={old}', '3.11')
