"""What is handed out of a checkpoint: weights, config, classes, metrics, and nothing else."""

import hashlib
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmdet.apis import load_detector
from mmdet.cli.publish import main
from mmdet.engine.checkpoint import read_checkpoint, to_plain
from mmdet.errors import UserError
from mmdet.registry import MODELS

CLASSES = ('nut', 'bolt', 'screw')
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 48), keep_ratio=True),
    dict(type='PackDetInputs'),
]
FIGURES = {
    'val/coco/segm_mAP': HistoryBuffer([0.1, 0.25], [1, 1]),
    'val/time': HistoryBuffer([1.5], [1]),
}


@pytest.fixture
def content(tiny_model) -> dict:
    """A training's checkpoint, saved by the validation that its figures are of."""
    dataset = dict(type='CocoDataset', pipeline=PIPELINE, metainfo=dict(classes=CLASSES))
    cfg = dict(model=tiny_model, test_dataloader=dict(batch_size=1, dataset=dataset))
    hub = dict(log_scalars=FIGURES, runtime_info=dict(loop_stage='val'), resumed_keys={})
    weights = MODELS.build(tiny_model).state_dict()
    return dict(
        meta=dict(cfg_dict=cfg, dataset_meta=dict(classes=CLASSES), epoch=2),
        state_dict=weights,
        ema_state_dict={f'module.{name}': torch.zeros_like(v) for name, v in weights.items()},
        optimizer=dict(state={}),
        param_schedulers=[],
        message_hub=to_plain(hub, name='message_hub'),
    )


@pytest.fixture
def source(content, tmp_path) -> Path:
    torch.save(content, tmp_path / 'in.pth')
    return tmp_path / 'in.pth'


def publish(source: Path, out: str, *options: str) -> Path:
    return main([str(source), str(source.parent / out), *options])


def assert_whole(path: Path, content: dict) -> None:
    """The file has the weights, the classes and the config, and loads as a detector by itself."""
    detector = load_detector(path, device='cpu')
    for name, value in detector.state_dict().items():
        torch.testing.assert_close(value, content['state_dict'][name], rtol=0, atol=0)
    assert detector.dataset_meta['classes'] == CLASSES
    # A tuple stays one: `Resize` takes a list for something else.
    assert repr(detector.cfg.test_dataloader.dataset.pipeline[1].scale) == '(64, 48)'
    assert detector.cfg.to_dict() == content['meta']['cfg_dict']


@pytest.mark.parametrize(
    ('out', 'suffix'),
    [('out', '.pth'), ('out.pth', '.pth'), ('out.safetensors', '.safetensors')],
)
def test_the_file(source, content, out, suffix, capsys):
    path = publish(source, out)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f'out-{digest[:8]}{suffix}'
    assert {each.name for each in source.parent.iterdir()} == {'in.pth', path.name}
    assert str(path) in capsys.readouterr().out
    published = read_checkpoint(str(path), map_location='cpu')
    assert published.keys() == {'meta', 'state_dict'}
    assert published['meta']['metrics'] == {'coco/segm_mAP': 0.25}
    assert published['meta']['epoch'] == 2
    assert_whole(path, content)
    assert publish(source, out) == path  # the same again


def test_keys_that_are_to_be_kept(source):
    path = publish(source, 'out', '--save-keys', 'state_dict', 'optimizer', 'message_hub')
    published = torch.load(path, weights_only=True)
    assert published.keys() == {'meta', 'state_dict', 'optimizer', 'message_hub'}
    assert published['meta'] == {}


def test_figures_of_other_weights_are_not_passed_off_as_theirs(source, content, capsys):
    """Training saves a checkpoint before its validation: it has the figures of the one before."""
    content['message_hub']['runtime_info']['loop_stage'] = 'train'
    torch.save(content, source)
    path = publish(source, 'out')
    assert 'metrics' not in torch.load(path, weights_only=True)['meta']
    assert 'published without metrics' in capsys.readouterr().out
    (source.parent / 'metrics.json').write_text('{"coco/segm_mAP": 0.3}')
    path = publish(source, 'out', '--metrics', str(source.parent / 'metrics.json'))
    assert torch.load(path, weights_only=True)['meta']['metrics'] == {'coco/segm_mAP': 0.3}


def test_weights_without_a_config(source, content, capsys):
    torch.save(dict(state_dict=content['state_dict']), source)
    publish(source, 'out')
    assert 'in.pth carries no config' in capsys.readouterr().out
    cfg = content['meta']['cfg_dict']
    (source.parent / 'mine.py').write_text('\n'.join(f'{key} = {cfg[key]!r}' for key in cfg))
    for out in ('out', 'out.safetensors'):
        path = publish(source, out, '--config', str(source.parent / 'mine.py'))
        assert_whole(path, content)
    assert 'carries no config' not in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['none.pth', 'out'], 'none.pth does not exist'),
        (['.', 'out'], 'is a folder: name a file in it'),
        (['text.pth', 'out'], 'text.pth is not a checkpoint'),
        (['text.safetensors', 'out'], 'text.safetensors is not a safetensors file'),
        (['meta.safetensors', 'out'], 'mmdet_meta in its metadata cannot be read'),
        (['in.pth', 'none/out'], 'the folder of none/out does not exist'),
        (['in.pth', '.'], 'OUT . is a folder: name a file'),
        (['in.pth', './'], 'is a folder'),
        (['in.pth', '.pth'], 'is a folder'),
        (['in.pth', 'out', '--save-keys', 'meta'], 'without state_dict'),
        (['in.pth', 'out', '--save-keys', 'state_dict', 'optim'], 'has no optim; it has meta, '),
        (
            ['in.pth', 'out.safetensors', '--save-keys', 'state_dict', 'optimizer'],
            'safetensors has no place for optimizer',
        ),
        (['in.pth', 'out', '--metrics', 'none.json'], 'none.json does not exist'),
        (['in.pth', 'out', '--metrics', 'text.pth'], 'text.pth is not JSON'),
        (['in.pth', 'out', '--metrics', 'list.json'], 'figures by name'),
        (['in.pth', 'out', '--config', 'none.py'], 'no such config file: none.py'),
    ],
)
def test_mistakes(source, monkeypatch, arguments, said):
    monkeypatch.chdir(source.parent)
    Path('text.pth').write_text('text')
    Path('text.safetensors').write_text('text')
    header = b'{"__metadata__":{"mmdet_meta":"{"}}'
    Path('meta.safetensors').write_bytes(len(header).to_bytes(8, 'little') + header)
    Path('list.json').write_text('[1]')
    before = {path.name for path in Path().iterdir()}
    with pytest.raises(UserError) as caught:
        main(arguments)
    assert said in str(caught.value)
    assert {path.name for path in Path().iterdir()} == before


def test_in_is_not_overwritten(source):
    published = publish(source, 'out')
    before = published.stat()
    with pytest.raises(UserError, match='published already'):
        publish(published, 'out')
    assert published.stat() == before


def test_meta_that_safetensors_cannot_hold(source, content):
    content['meta']['picture'] = torch.zeros(2)
    torch.save(content, source)
    with pytest.raises(UserError, match='Tensor is not JSON serializable: name a'):
        publish(source, 'out.safetensors')
    publish(source, 'out')
