"""`mmdet-solo export`: what it refuses, in one line each, and where it writes."""

import sys

import pytest
import torch

from mmdet.apis import load_detector
from mmdet.cli.export import main
from mmdet.engine.checkpoint.embedded_config import KEY
from mmdet.errors import UserError
from mmdet.registry import MODELS


@pytest.fixture
def checkpoint(tiny_model, tmp_path) -> str:
    """Of a model whose test pipeline resizes nothing."""
    model = MODELS.build(tiny_model)
    cfg = dict(
        model=tiny_model,
        test_pipeline=[dict(type='LoadImageFromFile'), dict(type='PackDetInputs')],
    )
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={KEY: cfg}), path)
    return str(path)


def test_beside_the_checkpoint_and_tried(checkpoint, tmp_path, capsys):
    out = main([checkpoint, '--format', 'torch-export', '--size', '64', '96'])
    assert out == tmp_path / 'epoch_1.pt2'
    assert sorted(each.name for each in tmp_path.iterdir()) == ['epoch_1.pt2', 'epoch_1.pth']
    exported, tried = capsys.readouterr().out.splitlines()
    assert exported == f'exported: {out}, for images of 64 x 96 pixels'
    assert tried.startswith('tried: ')
    assert load_detector(out, palette='voc').dataset_meta['palette'][0] == (128, 0, 0)
    with pytest.raises(UserError, match="there is no device 'gpu'"):
        load_detector(out, device='gpu')


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (['--size', '100', '96'], 'multiples of 32'),
        (['--format', 'torch-export', '--dynamic', '--out', 'x.onnx'], r'ends in \.pt2'),
        (['--dynamic', '--size', '64', '64'], 'contradict'),
        (['--dynamic', '--candidates', '-1'], 'at least 1'),
    ],
)
def test_what_it_refuses(checkpoint, arguments, complaint):
    with pytest.raises(UserError, match=complaint):
        main([checkpoint, *arguments])


def test_an_unknown_format(checkpoint, capsys):
    with pytest.raises(SystemExit, match='2'):
        main([checkpoint, '--format', 'onxx'])
    assert "invalid choice: 'onxx'" in capsys.readouterr().err.splitlines()[-1]


def test_a_checkpoint_without_a_config(checkpoint, tmp_path):
    content = torch.load(checkpoint)
    bare = tmp_path / 'bare.pth'
    torch.save(dict(state_dict=content['state_dict']), bare)
    with pytest.raises(UserError, match='carries no config'):
        main([str(bare), '--dynamic'])


def test_a_folder_that_cannot_be_written(checkpoint):
    arguments = ['--format', 'torch-export', '--dynamic', '--out', f'{checkpoint}/model.pt2']
    with pytest.raises(OSError, match=r'epoch_1\.pth'):  # which becomes one line in `program.run`
        main([checkpoint, *arguments])


def test_a_missing_package_is_named(checkpoint, monkeypatch):
    pytest.importorskip('onnx')
    monkeypatch.setitem(sys.modules, 'onnxscript', None)
    with pytest.raises(UserError, match=r"needs onnxscript.*pip install 'mmdet-solo\[export\]'"):
        main([checkpoint, '--dynamic'])


def test_an_exported_file_is_not_exported_again(checkpoint):
    out = main([checkpoint, '--format', 'torch-export', '--size', '64', '96'])
    with pytest.raises(UserError, match='no SOLO that was trained here'):
        main([str(out), '--format', 'onnx'])
