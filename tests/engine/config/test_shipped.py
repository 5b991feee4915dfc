"""The configs inside the package: found by name, and where mmengine looks for them."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from mmengine.hub.hub import get_config

from mmdet.engine.config.shipped import SHIPPED, find_config
from mmdet.errors import UserError
from tests.conftest import REPO
from tests.test_configs import CONFIGS, load

SOLO = 'solo/solo_r50_fpn_1x_coco.py'


@pytest.mark.parametrize(
    'name',
    [
        SOLO,
        f'configs/{SOLO}',
        f'./configs/{SOLO}',
        f'mmdet::{SOLO}',
        SOLO.removesuffix('.py'),
        Path(SOLO).name,
        Path(SOLO).stem,
    ],
)
def test_the_names_of_a_shipped_config(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config(name) == SHIPPED / SOLO


def test_a_file_comes_before_a_shipped_config_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'solo').mkdir()
    assert find_config(SOLO) == SHIPPED / SOLO
    (tmp_path / SOLO).touch()
    assert find_config(SOLO) == Path(SOLO)


def test_what_is_in_the_repository_is_shipped():
    assert {path.relative_to(SHIPPED) for path in SHIPPED.rglob('*.py')} == {
        path.relative_to(REPO / 'configs') for path in (REPO / 'configs').rglob('*.py')
    }


def test_every_config_has_a_name_of_its_own():
    assert not [
        name for name, number in Counter(path.stem for path in CONFIGS).items() if number > 1
    ]


@pytest.mark.parametrize(
    ('name', 'said'),
    [
        ('solo_r50_1x_coco', 'did you mean solo_r50_fpn_1x_coco, '),
        ('my/solo_r50_fpn_1x_coco.py', 'did you mean solo_r50_fpn_1x_coco, '),
        ('default_runtime', f'those are in {SHIPPED}'),
        ('', f'those are in {SHIPPED}'),
    ],
)
def test_an_unknown_name(name, said):
    with pytest.raises(UserError, match=f'no such config file: {name}') as caught:
        find_config(name)
    assert said in str(caught.value)


def test_a_name_is_read_and_names_the_work_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load('solo_r18_fpn_shapes-cpu')
    assert cfg.filename == str(SHIPPED / 'solo/solo_r18_fpn_shapes-cpu.py')
    assert cfg.work_dir == 'work_dirs/solo_r18_fpn_shapes-cpu'
    assert cfg.test_dataloader.dataset.data_root == 'data/shapes/'


@pytest.fixture
def pkg_resources(monkeypatch, tmp_path):
    """What mmengine 0.10 asks for a package's place; it knows no distribution called mmdet."""
    (tmp_path / 'pkg_resources.py').write_text(
        'class DistributionNotFound(Exception): ...\n'
        'def get_distribution(name): raise DistributionNotFound\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'pkg_resources', raising=False)
    yield
    sys.modules.pop('pkg_resources', None)


def test_mmengine_finds_them(tmp_path, pkg_resources):
    (tmp_path / 'mine.py').write_text(f"_base_ = 'mmdet::{SOLO}'\n")
    expected = load(SOLO).model
    assert load(tmp_path / 'mine.py').model == dict(expected, _scope_='mmdet')
    assert get_config(f'mmdet::{SOLO}').model == expected


def test_what_mmengine_needs_for_that_is_named(tmp_path, monkeypatch):
    (tmp_path / 'mine.py').write_text(f"_base_ = 'mmdet::{SOLO}'\n")
    monkeypatch.setitem(sys.modules, 'pkg_resources', None)
    with pytest.raises(UserError, match=r"mine\.py cannot be read: .* 'setuptools<82', or name"):
        load(tmp_path / 'mine.py')
