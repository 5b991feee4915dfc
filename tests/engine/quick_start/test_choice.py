"""Which config `train.sh` trains, on what, and what it says to a user who lacks something."""

from pathlib import Path

import pytest

from mmdet.engine.quick_start import Machine, choose, folder_of, this_machine
from mmdet.engine.quick_start.choice import COCO_CONFIG, CPU_CONFIG, GPU_CONFIG
from mmdet.engine.quick_start.coco import LAYOUT
from mmdet.errors import UserError
from tests.conftest import REPO
from tests.datasets.formats.test_recognise import coco

PLAIN_CPU = Machine(has_gpu=False, has_bfloat16=False)


@pytest.fixture
def folders(tmp_path) -> dict[str, Path]:
    """A working directory, and a repository with a config and without data."""
    here, repo = tmp_path / 'here', tmp_path / 'a repo'
    here.mkdir()
    (repo / 'configs').mkdir(parents=True)
    (repo / 'configs/shipped.py').touch()
    return dict(here=here, repo=repo)


def make_coco(folder: Path, without: str | None = None) -> None:
    for part in LAYOUT:
        if part != without:
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            (folder / part).mkdir() if part.endswith('/') else (folder / part).touch()


def test_a_config_of_here_leaves_the_working_directory_and_the_options_alone(folders):
    (folders['here'] / 'my.py').touch()
    options = ['--work-dir', 'my results', '--cfg-options', 'a=b c', 'd=[1,2]']
    choice = choose(['my.py', *options], coco_root='/nowhere', machine=PLAIN_CPU, **folders)
    assert choice[:3] == ('my.py', options, folders['here'])


def test_a_config_of_the_repository_is_found_from_elsewhere(folders):
    choice = choose(['configs/shipped.py'], coco_root=None, machine=PLAIN_CPU, **folders)
    assert choice[:3] == ('configs/shipped.py', [], folders['repo'])


def test_a_shipped_configs_name_means_the_repositorys_data(folders):
    choice = choose(['solo_r50_fpn_1x_coco'], coco_root=None, machine=PLAIN_CPU, **folders)
    assert choice[:3] == ('solo_r50_fpn_1x_coco', [], folders['repo'])


def test_a_folder_of_data_gets_a_config(folders):
    (folders['here'] / 'nuts').mkdir()
    coco(folders['here'] / 'nuts')
    for machine, amp in ((PLAIN_CPU, []), (Machine(has_gpu=False, has_bfloat16=True), ['--amp'])):
        choice = choose(['nuts', '--resume'], coco_root=None, machine=machine, **folders)
        path = folders['here'] / 'work_dirs/nuts/nuts.py'
        assert choice[:3] == (str(path), [*amp, '--resume'], folders['here'])
        assert path.is_file()


def test_a_folder_of_nothing_known_is_named(folders):
    (folders['here'] / 'nuts').mkdir()
    with pytest.raises(UserError, match='nuts is no data set that is known'):
        choose(['nuts'], coco_root=None, machine=PLAIN_CPU, **folders)


def test_a_config_that_does_not_exist_is_named(folders):
    with pytest.raises(UserError, match=r'configs/none\.py'):
        folder_of('configs/none.py', **folders)


def test_coco_in_data_coco_is_taken(folders):
    make_coco(folders['repo'] / 'data/coco')
    (folders['repo'] / 'data/coco/train2017.txt').touch()
    choice = choose(['--amp'], coco_root=None, machine=PLAIN_CPU, **folders)
    assert choice[:3] == (COCO_CONFIG, ['--amp'], folders['repo'])


def test_coco_root_comes_before_data_coco(folders):
    make_coco(folders['repo'] / 'data/coco')
    make_coco(folders['here'] / 'my coco')
    choice = choose(['--amp'], coco_root='my coco', machine=PLAIN_CPU, **folders)
    options = ['--data-root', str(folders['here'] / 'my coco'), '--amp']
    assert choice[:3] == (COCO_CONFIG, options, folders['repo'])


@pytest.mark.parametrize('part', LAYOUT)
def test_the_part_that_coco_root_lacks_is_named(folders, part):
    make_coco(folders['here'] / 'coco', without=part)
    with pytest.raises(UserError) as caught:
        choose([], coco_root='coco', machine=PLAIN_CPU, **folders)
    *layout, last = str(caught.value).splitlines()
    assert last == f'COCO_ROOT=coco lacks: {part}'
    assert len(layout) == 1 + len(LAYOUT)


def test_an_empty_coco_root_is_an_error(folders):
    with pytest.raises(UserError, match='COCO_ROOT=/nowhere lacks: annotations'):
        choose([], coco_root='/nowhere', machine=PLAIN_CPU, **folders)


def test_half_a_coco_in_data_coco_is_an_error(folders):
    make_coco(folders['repo'] / 'data/coco', without='train2017/')
    with pytest.raises(UserError, match='data/coco lacks: train2017/'):
        choose([], coco_root=None, machine=PLAIN_CPU, **folders)


@pytest.mark.parametrize(
    ('machine', 'config', 'options'),
    [
        (PLAIN_CPU, CPU_CONFIG, []),
        (Machine(has_gpu=False, has_bfloat16=True), CPU_CONFIG, ['--amp']),
        (Machine(has_gpu=True, has_bfloat16=True), GPU_CONFIG, []),
    ],
)
def test_without_coco_the_embedded_data_set_is_trained_on(folders, machine, config, options):
    choice = choose(['--seed'], coco_root=None, machine=machine, **folders)
    assert choice[:3] == (config, [*options, '--seed'], folders['repo'])
    for name in ('train2017.zip', 'val2017.zip', 'annotations_trainval2017.zip', *LAYOUT):
        assert name in choice.reason


def test_the_chosen_configs_are_shipped():
    for config in (COCO_CONFIG, CPU_CONFIG, GPU_CONFIG):
        assert (REPO / config).is_file()


def test_bfloat16_is_read_from_the_processors_flags(tmp_path):
    cpuinfo = tmp_path / 'cpuinfo'
    cpuinfo.write_text('flags : fpu avx512f avx512_bf16\n')
    assert this_machine(cpuinfo).has_bfloat16
    cpuinfo.write_text('flags : fpu avx512f\n')
    assert not this_machine(cpuinfo).has_bfloat16
    assert not this_machine(tmp_path / 'none').has_bfloat16
