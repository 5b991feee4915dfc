"""The shell scripts, run for real in a copy of the checkout.

The copy has stand-ins for tools/train.py and tools/test.py, which note how they were called, and
for pip. Nothing is installed and no network is needed.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
COPIED = (
    'train.sh',
    'train_dist.sh',
    'tests/run_gpu.sh',
    'tools/setup_env.sh',
    'requirements.txt',
    'pyproject.toml',
    'setup.py',
    'csrc/ops.cpp',
)
COCO_LAYOUT = (
    'annotations/instances_train2017.json',
    'annotations/instances_val2017.json',
    'train2017/',
    'val2017/',
)
COCO_CONFIG = 'configs/solo/solo_r50_fpn_1x_coco.py'
SHAPES_CONFIG = 'configs/solo/solo_r18_fpn_shapes-cpu.py'

NOTE = """
import json, os, sys, time
from pathlib import Path

def note(**more):
    call = {'tool': Path(sys.argv[0]).name, 'args': sys.argv[1:], 'cwd': os.getcwd(), **more}
    with open(os.environ['CALLS'], 'a') as calls:
        calls.write(json.dumps(call) + '\\n')
"""
TRAIN = """
from note import *
rank = os.environ.get('RANK')
note(rank=rank, world=os.environ.get('WORLD_SIZE'), threads=os.environ.get('OMP_NUM_THREADS'))
config, options = sys.argv[1], sys.argv[2:]
if '--fail' in options and rank in (None, '1'):
    while rank and len(Path(os.environ['CALLS']).read_text().splitlines()) < 2:
        time.sleep(0.05)  # for the other rank, which torchrun stops when this one fails
    print('train.py: no annotations in data/coco', file=sys.stderr)
    sys.exit(2)
if rank is None and '--idle' not in options:
    work_dir = Path('work_dirs', Path(config).stem)
    if '--work-dir' in options:
        work_dir = Path(options[options.index('--work-dir') + 1])
    work_dir.mkdir(parents=True, exist_ok=True)
    (work_dir / Path(config).name).touch()
    (work_dir / 'curves.png').touch()
    (work_dir / 'epoch_1.pth').touch()
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_1.pth'))
"""
TEST = """
from note import *
note()
Path(sys.argv[sys.argv.index('--show-dir') + 1]).mkdir(exist_ok=True)
"""
PIP = """
import os, shutil, sys
from pathlib import Path
with open(os.environ['CALLS'] + '.pip', 'a') as calls:
    calls.write(' '.join(sys.argv[1:]) + '\\n')
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


def make_coco(path, without=None):
    for part in COCO_LAYOUT:
        if part != without:
            (path / part).parent.mkdir(parents=True, exist_ok=True)
            (path / part).mkdir() if part.endswith('/') else (path / part).touch()


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
            'tools/note.py': NOTE,
            'tools/train.py': TRAIN,
            'tools/test.py': TEST,
            COCO_CONFIG: '',
            SHAPES_CONFIG: '',
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

    def run(self, script, *args, cwd=None, **env):
        return subprocess.run(
            ['bash', str(self.path / script), *args],
            cwd=cwd or self.path,
            env={**self.env, **{name: str(value) for name, value in env.items()}},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

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


# --- train.sh -----------------------------------------------------------------------------------


def test_train_without_coco_takes_the_embedded_data_set_and_leaves_pictures(checkout, tmp_path):
    result = checkout.run('train.sh', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for name in ('train2017.zip', 'val2017.zip', 'annotations_trainval2017.zip', *COCO_LAYOUT):
        assert name in result.stdout
    train, test = checkout.calls
    assert (train['args'], train['cwd']) == ([SHAPES_CONFIG], str(checkout.path))
    work_dir = checkout.path / 'work_dirs/solo_r18_fpn_shapes-cpu'
    assert test['args'][:2] == [f'{work_dir}/solo_r18_fpn_shapes-cpu.py', f'{work_dir}/epoch_1.pth']
    assert test['args'][test['args'].index('--show-dir') + 1] == f'{work_dir}/vis'
    for path in ('epoch_1.pth', 'curves.png', 'vis'):
        assert f' {work_dir}/{path}\n' in result.stdout


def test_train_takes_coco_in_data_coco(checkout):
    make_coco(checkout.path / 'data/coco')
    (checkout.path / 'data/coco/train2017.txt').touch()
    assert checkout.run('train.sh', '--amp').returncode == 0
    assert checkout.calls[0]['args'] == [COCO_CONFIG, '--amp']


def test_train_takes_coco_at_coco_root_before_data_coco(checkout, tmp_path):
    make_coco(checkout.path / 'data/coco')
    make_coco(tmp_path / 'my coco')
    result = checkout.run('train.sh', '--amp', cwd=tmp_path, COCO_ROOT='my coco')
    assert result.returncode == 0, result.stderr
    expected = [COCO_CONFIG, '--data-root', str(tmp_path / 'my coco'), '--amp']
    assert checkout.calls[0]['args'] == expected


@pytest.mark.parametrize('part', COCO_LAYOUT)
def test_train_names_the_part_that_coco_root_lacks(checkout, tmp_path, part):
    make_coco(tmp_path / 'coco', without=part)
    result = checkout.run('train.sh', COCO_ROOT=tmp_path / 'coco')
    assert_mendable(result, 'COCO_ROOT', f'lacks: {part}')
    assert result.stderr.count(part) == 2, 'the layout and the missing part are shown'
    assert checkout.calls == []


def test_train_stops_at_half_a_coco_in_data_coco(checkout):
    make_coco(checkout.path / 'data/coco', without='train2017/')
    assert_mendable(checkout.run('train.sh'), 'data/coco lacks: train2017/')
    assert checkout.calls == []


def test_train_passes_options_on_and_keeps_the_working_directory(checkout, tmp_path):
    (tmp_path / 'my.py').touch()
    options = ['--work-dir', 'my results', '--cfg-options', 'a=b c', 'd=[1,2]']
    result = checkout.run('train.sh', 'my.py', *options, cwd=tmp_path, COCO_ROOT='/nowhere')
    assert result.returncode == 0, result.stderr
    train, test = checkout.calls
    assert (train['args'], train['cwd']) == (['my.py', *options], str(tmp_path))
    assert test['args'][0] == str(tmp_path / 'my results/my.py')


def test_train_finds_a_config_of_the_repository_from_elsewhere(checkout, tmp_path):
    assert checkout.run('train.sh', COCO_CONFIG, cwd=tmp_path).returncode == 0
    train = checkout.calls[0]
    assert (train['args'], train['cwd']) == ([COCO_CONFIG], str(checkout.path))


def test_train_names_a_config_that_does_not_exist(checkout):
    assert_mendable(checkout.run('train.sh', 'configs/none.py'), 'configs/none.py')


def test_train_ends_with_the_exit_code_of_a_failed_training(checkout):
    result = checkout.run('train.sh', SHAPES_CONFIG, '--fail')
    assert_mendable(result, 'no annotations')
    assert [call['tool'] for call in checkout.calls] == ['train.py']


def test_train_draws_nothing_from_an_older_checkpoint(checkout):
    assert checkout.run('train.sh', SHAPES_CONFIG).returncode == 0
    result = checkout.run('train.sh', SHAPES_CONFIG, '--idle')
    assert result.returncode == 0
    assert 'no pictures' in result.stdout
    assert [call['tool'] for call in checkout.calls] == ['train.py', 'test.py', 'train.py']


# --- train_dist.sh ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('args', 'word'),
    [
        ([], 'usage:'),
        ([SHAPES_CONFIG], 'usage:'),
        ([SHAPES_CONFIG, '0'], 'usage:'),
        ([SHAPES_CONFIG, '--amp'], 'usage:'),
        (['none.py', '2'], 'none.py'),
    ],
)
def test_dist_rejects_wrong_arguments_before_any_set_up(bare, args, word):
    result = bare.run('train_dist.sh', *args)
    assert_mendable(result, word)
    assert result.stdout == ''


def test_dist_wants_as_many_gpus_as_asked_for(checkout):
    (checkout.site / 'torch.py').write_text('class cuda:\n    device_count = lambda: 1\n')
    result = checkout.run('train_dist.sh', SHAPES_CONFIG, '4')
    assert_mendable(result, 'NUM_GPUS is 4', 'PyTorch sees 1')
    assert checkout.calls == []


def test_dist_ends_well_when_training_does(checkout):
    torchrun = checkout.site / 'torch/distributed/run.py'
    torchrun.parent.mkdir(parents=True)
    torchrun.touch()
    (checkout.site / 'torch/__init__.py').write_text('class cuda:\n    device_count = lambda: 2\n')
    result = checkout.run('train_dist.sh', SHAPES_CONFIG, '2')
    assert result.returncode == 0, result.stderr


def test_dist_starts_the_ranks_and_ends_with_the_message_of_the_one_that_failed(checkout):
    # torchrun itself, from the environment that runs this test.
    packages = [path for path in sys.path if path.endswith('site-packages')]
    (checkout.site / 'zz.pth').write_text('\n'.join(packages))
    options = ['--fail', '--cfg-options', 'a=b c']
    result = checkout.run('train_dist.sh', SHAPES_CONFIG, '2', *options)
    assert_mendable(result, 'rank 1 failed: train.py: no annotations in data/coco')
    calls = sorted(checkout.calls, key=lambda call: call['rank'])
    assert [(call['rank'], call['world']) for call in calls] == [('0', '2'), ('1', '2')]
    assert calls[0]['args'] == [SHAPES_CONFIG, '--launcher', 'pytorch', *options]
    assert calls[1]['args'] == calls[0]['args']
    assert calls[0]['threads'] == str(max(1, len(os.sched_getaffinity(0)) // 2))


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
    assert [call['tool'] for call in gpu.calls] == ['train.py', 'test.py']
    assert gpu.calls[0]['args'][-1] == 'work_dirs/gpu/shapes/data'
    assert (logs / 'shapes/data').is_dir()


def test_gpu_trains_coco_in_both_precisions(gpu, tmp_path):
    result = gpu.run('tests/run_gpu.sh', 'coco', COCO_ROOT=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert ['--amp' in call['args'] for call in gpu.calls] == [False, True]
    assert all(call['args'][0] == COCO_CONFIG for call in gpu.calls)


# --- tools/setup_env.sh -------------------------------------------------------------------------


def test_set_up_uses_an_active_environment_that_has_the_package(checkout):
    result = checkout.run('tools/setup_env.sh')
    assert result.returncode == 0, result.stderr
    assert f'using {checkout.active}/bin/python3, ' in result.stdout
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
    assert f'using {with_venv.path}/.venv/bin/python\n' in result.stdout


@pytest.fixture
def with_venv(bare):
    """A checkout whose .venv exists, with a stand-in for pip and nothing installed."""
    bare.venv_site = make_environment(bare.path / '.venv')
    add_pip(bare.venv_site, bare.path)
    return bare


def test_set_up_installs_once_and_again_when_the_requirements_change(with_venv):
    result = with_venv.run('train.sh', SHAPES_CONFIG)
    assert result.returncode == 0, result.stderr
    assert 'using .venv instead' in result.stdout
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


def test_set_up_does_not_use_another_checkouts_installation(with_venv, tmp_path):
    (tmp_path / 'other/mmdet').mkdir(parents=True)
    (tmp_path / 'other/mmdet/__init__.py').touch()
    add_ours(with_venv.site, tmp_path / 'other')
    result = with_venv.run('tools/setup_env.sh')
    assert result.returncode == 0, result.stderr
    assert f'using {with_venv.path}/.venv/bin/python\n' in result.stdout


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
