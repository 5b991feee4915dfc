"""The command: what it prints, writes and refuses."""

import json

import pytest

from mmdet.cli import fit_grid
from mmdet.datasets.shapes import draw_dataset
from mmdet.engine.config import check_config, read_config
from mmdet.errors import UserError
from tests.conftest import REPO

COUNTS = ['--max-images', '6']


@pytest.fixture(scope='module')
def tiny_objects(tmp_path_factory) -> str:
    """A data set of objects of 10 to 14 pixels, many in an image."""
    root = tmp_path_factory.mktemp('data') / 'tiny'
    draw_dataset(root, 6, 1, max_objects=60, sizes=(10, 14), num_workers=1)
    return str(root)


@pytest.fixture
def config(tmp_path) -> str:
    base = REPO / 'configs/solo/solo_r18_fpn_shapes-cpu.py'
    (tmp_path / 'mine.py').write_text(f'_base_ = {str(base)!r}\n')
    return str(tmp_path / 'mine.py')


def test_a_proposal_is_printed_written_and_trainable(tiny_objects, config, tmp_path, capsys):
    out, numbers = tmp_path / 'fits.py', tmp_path / 'fits.json'
    options = ['--apply', str(out), '--json', str(numbers), '--data-root', tiny_objects]
    report = fit_grid.main([config, *COUNTS, *options])
    usual, now, proposed = report.values()
    assert proposed['learnt'] > now['learnt'] and proposed['learnt'] > 0.98
    assert usual['num_grids'] == (40, 36, 24, 16, 12)
    assert proposed['input'] > now['input'] and proposed['macs'] > now['macs']
    assert json.loads(numbers.read_text()) == json.loads(json.dumps(report))
    printed = capsys.readouterr().out
    assert f'{proposed["learnt"]:.1%}' in printed and f'{now["learnt"]:.1%}' in printed
    cfg = read_config(str(out))
    check_config(cfg.to_dict())
    head = cfg.model.mask_head
    assert tuple(head.num_grids) == proposed['num_grids']
    assert tuple(map(tuple, head.scale_ranges)) == tuple(map(tuple, proposed['scale_ranges']))
    assert cfg.train_dataloader.dataset.data_root == tiny_objects
    factors = [
        step.scale_factor
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader)
        for step in loader.dataset.pipeline
        if step.type == 'Resize'
    ]
    assert len(factors) == 3 and len(set(factors)) == 1 and factors[0] > 0.5
    assert str(out) in printed


def test_the_size_may_stay(tiny_objects, config):
    report = fit_grid.main([config, *COUNTS, '--keep-size', '--data-root', tiny_objects])
    assert report['proposed']['input'] == report['this config']['input']


def test_another_number_of_levels_has_no_default_beside_it(tiny_objects, config):
    changes = {
        'model.neck.num_outs': 4,
        'model.mask_head.strides': '[8,8,16,16]',
        'model.mask_head.num_grids': '[12,12,8,5]',
        'model.mask_head.scale_ranges': '((1,48),(24,96),(48,192),(96,2048))',
    }
    options = ['--cfg-options', *(f'{key}={value}' for key, value in changes.items())]
    report = fit_grid.main([config, *COUNTS, '--data-root', tiny_objects, *options])
    assert list(report) == ['this config', 'proposed']
    assert len(report['proposed']['num_grids']) == 4


def test_nothing_is_written_over(tiny_objects, config, tmp_path):
    (tmp_path / 'there.py').write_text('a = 1\n')
    with pytest.raises(UserError, match=r'there\.py is there already'):
        fit_grid.main([config, '--apply', str(tmp_path / 'there.py')])
    assert (tmp_path / 'there.py').read_text() == 'a = 1\n'


def test_no_image_is_not_enough(config):
    with pytest.raises(UserError, match='--max-images 0'):
        fit_grid.main([config, '--max-images', '0'])
