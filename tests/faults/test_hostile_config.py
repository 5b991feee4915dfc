"""A config in YAML or JSON runs nothing; what it asks for is named in one line."""

import json
import subprocess
import sys
from pathlib import Path

import mmengine
import pytest
import yaml
from mmengine.config import Config

from mmdet.engine.config import read_config
from mmdet.errors import UserError
from tests.conftest import REPO
from tests.processes import run_tool
from tests.test_configs import load

SOLO = str(REPO / 'configs/solo/solo_r50_fpn_1x_coco.py')

TAGS = {
    'apply': '!!python/object/apply:os.system ["touch {canary}"]',
    'new': '!!python/object/new:subprocess.Popen [["touch", "{canary}"]]',
    'verbatim': '!<tag:yaml.org,2002:python/object/apply:os.system> ["touch {canary}"]',
    'name': '!!python/name:os.system',
    'module': '!!python/module:antigravity',
    'within a tuple': '!!python/tuple [1, !!python/object/apply:os.system ["touch {canary}"]]',
}


@pytest.fixture
def canary(tmp_path) -> Path:
    """What must never come into being."""
    path = tmp_path / 'canary'
    yield path
    assert not path.exists()


@pytest.mark.parametrize('suffix', ['.yaml', '.yml'])
@pytest.mark.parametrize('tag', TAGS.values(), ids=TAGS)
def test_tags_are_refused(tmp_path, canary, tag, suffix):
    path = tmp_path / f'a{suffix}'
    path.write_text(f'model:\n  type: SOLO\n  x: {tag.format(canary=canary)}\n')
    with pytest.raises(UserError, match=r'line 3: it asks for an object by the tag !!python/\w+'):
        read_config(str(path))


def test_tags_with_an_alias(tmp_path, canary):
    path = tmp_path / 'a.yaml'
    path.write_text(
        '%TAG !p! tag:yaml.org,2002:python/object/apply:\n---\n'
        f'model: !p!os.system ["touch {canary}"]\n'
    )
    with pytest.raises(UserError, match=r'tag !!python/object/apply:os\.system'):
        read_config(str(path))


def test_tags_that_are_put_together_by_variables(tmp_path, canary, monkeypatch):
    monkeypatch.setenv('PART', '!!python/object/apply:os.system')
    path = tmp_path / 'a.yaml'
    path.write_text(f'model: "{{{{$PART:}}}}"\nx: {{{{$PART:}}}} ["touch {canary}"]\n')
    with pytest.raises(UserError, match=r'tag !!python/object/apply:os\.system'):
        read_config(str(path))


@pytest.mark.parametrize('leaf', ['leaf.yaml', 'leaf.json', 'leaf.py'])
def test_tags_in_a_base(tmp_path, canary, leaf):
    (tmp_path / 'base.yaml').write_text(
        f'model: !!python/object/apply:os.system ["touch {canary}"]\n'
    )
    contents = dict(yaml='_base_: base.yaml', json='{"_base_": "base.yaml"}')
    (tmp_path / leaf).write_text(contents.get(leaf[5:], "_base_ = 'base.yaml'"))
    with pytest.raises(UserError, match=r'tag !!python/object/apply:os\.system'):
        read_config(str(tmp_path / leaf))


def test_no_tool_runs_a_tag(tmp_path, canary, environment):
    path = tmp_path / 'a.yaml'
    path.write_text(f'model: !!python/object/apply:os.system ["touch {canary}"]\n')
    for tool in (['tools/train.py', str(path)], ['tools/test.py', str(path), 'a.pth']):
        run = run_tool(*tool, environment=environment)
        assert run.returncode == 2
        assert run.stderr.splitlines()[-1].startswith(f'error: config {path} cannot be read: line')


def test_mmengine_runs_a_tag(tmp_path):
    """Without this project: its handler of YAML is as it was."""
    path = tmp_path / 'a.yaml'
    path.write_text(f'model: !!python/object/apply:os.system ["touch {tmp_path}/canary"]\n')
    program = 'import sys; from mmengine.config import Config; Config.fromfile(sys.argv[1])'
    subprocess.run([sys.executable, '-c', program, str(path)], check=True)
    assert (tmp_path / 'canary').exists()


def popen(canary: Path) -> dict:
    return dict(type='subprocess.Popen', args=['touch', str(canary)])


CODE = dict(
    model=lambda canary: dict(model=popen(canary)),
    optimizer=lambda canary: dict(
        optim_wrapper=dict(optimizer=dict(popen(canary), _delete_=True, lr=0.1))
    ),
    hook=lambda canary: dict(custom_hooks=[popen(canary)]),
    transform=lambda canary: dict(train_dataloader=dict(dataset=dict(pipeline=[popen(canary)]))),
    scope=lambda canary: dict(model=dict(type='SOLO', _scope_='antigravity')),
    default_scope=lambda canary: dict(default_scope='antigravity'),
    imports=lambda canary: dict(custom_imports=dict(imports=['antigravity'])),
    module=lambda canary: dict(custom_hooks=[dict(type='antigravity')]),
    constructor=lambda canary: dict(optim_wrapper=dict(constructor='subprocess.Popen')),
)


@pytest.mark.parametrize('suffix', ['.yaml', '.json'])
@pytest.mark.parametrize('settings', CODE.values(), ids=CODE)
def test_types_that_are_not_registered_are_refused(tmp_path, canary, settings, suffix):
    path = tmp_path / f'a{suffix}'
    content = dict(_base_=SOLO) | settings(canary)
    path.write_text(json.dumps(content) if suffix == '.json' else yaml.safe_dump(content))
    with pytest.raises(UserError, match=r"a\.\w+ names code .*(subprocess\.Popen|antigravity)'"):
        load(str(path))
    assert 'antigravity' not in sys.modules


def test_mmengine_builds_any_type(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(dict(model=popen(tmp_path / 'canary'))))
    mmengine.registry.MODELS.build(Config.fromfile(path).model).wait()
    assert (tmp_path / 'canary').exists()


@pytest.mark.parametrize('suffix', ['.yaml', '.json'])
@pytest.mark.parametrize(
    'name', ['solo/solo_r50_fpn_1x_coco.py', 'solov2/solov2-light_r50_fpn_ms-3x_coco.py']
)
def test_what_is_data_is_read_as_before(tmp_path, name, suffix):
    cfg = Config.fromfile(REPO / 'configs' / name)
    whole = tmp_path / f'whole{suffix}'
    cfg.dump(whole)
    leaf = tmp_path / f'leaf{suffix}'
    content = dict(_base_=whole.name, work_dir='{{ fileBasenameNoExtension }}')
    leaf.write_text(json.dumps(content) if suffix == '.json' else yaml.safe_dump(content))
    read = load(str(leaf))
    assert read.work_dir == 'leaf'
    if suffix == '.yaml':  # JSON has no tuples
        assert read.model == cfg.model
        assert read.test_pipeline[1].scale == cfg.test_pipeline[1].scale
        assert isinstance(read.test_pipeline[1].scale, tuple)


def test_yaml_that_is_none(tmp_path):
    (tmp_path / 'a.yaml').write_text('a: [1\nb: 2\n')
    with pytest.raises(UserError, match=r'a\.yaml cannot be read: line 2: [^\n]*$'):
        read_config(str(tmp_path / 'a.yaml'))
