"""A detector from a config and a checkpoint, or from a checkpoint alone."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from torch import nn

from mmdet.apis import DetInferencer, init_detector, load_detector
from mmdet.datasets.coco_classes import COCO_CLASSES
from mmdet.errors import UserError
from mmdet.visualization.palette import named_palette


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What goes to the log."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler = Keep(logging.INFO)
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def with_meta(checkpoint: Path, **meta: object) -> Path:
    """Return a checkpoint with the same weights, and this in its `meta`."""
    content = torch.load(checkpoint)
    path = checkpoint.with_name('other.pth')
    torch.save(dict(meta=meta, state_dict=content['state_dict']), path)
    return path


# --- the config ---------------------------------------------------------------------------------


def test_a_config_as_a_path_or_as_it_is(config, checkpoint):
    weights = torch.load(checkpoint)['state_dict']
    for given in (config, str(config), Config.fromfile(config)):
        model = init_detector(given, checkpoint, device='cpu')
        assert not model.training
        assert model.cfg.model.type == 'SOLO'
        for name, value in model.state_dict().items():
            assert torch.equal(value, weights[name])


def test_the_config_that_was_given_stays_as_it_was(config):
    given = Config.fromfile(config)
    before = given.to_dict()
    model = init_detector(
        given, device='cpu', cfg_options={'model.test_cfg.max_per_img': 2, 'model.neck.num_outs': 5}
    )
    assert model.cfg.model.test_cfg.max_per_img == model.mask_head.test_cfg['max_per_img'] == 2
    assert given.to_dict() == before


def test_a_shipped_config_by_its_name():
    model = init_detector('solo_r18_fpn_shapes-cpu', device='cpu')
    assert model.dataset_meta['classes'][-1] == 'heart'


@pytest.mark.parametrize(
    ('config', 'said'),
    [
        ('no.py', 'no such config file: no.py'),
        (3, 'config is a int, not a path or a Config'),
        (Config(dict()), "the config: there is no 'model'"),
        (Config(dict(model=dict(type='FasterRCNN'))), 'FasterRCNN'),
    ],
)
def test_a_config_that_is_none(config, said):
    with pytest.raises(UserError, match=said):
        init_detector(config, device='cpu')


# --- the checkpoint -----------------------------------------------------------------------------


def test_without_a_checkpoint_it_is_said_and_the_classes_are_the_configs(config, said):
    model = init_detector(config, device='cpu')
    assert model.dataset_meta == dict(classes=('red', 'green', 'blue'))
    assert said == [f'{config}: no checkpoint is named, so the weights are random']


@pytest.mark.parametrize(
    ('meta', 'classes'),
    [
        (dict(dataset_meta=dict(classes=('x', 'y', 'z'))), ('x', 'y', 'z')),  # mmdetection 3.x
        (dict(dataset_meta=dict(CLASSES=['x', 'y', 'z'])), ('x', 'y', 'z')),  # its candidates
        (dict(CLASSES=('x', 'y', 'z')), ('x', 'y', 'z')),  # mmdetection 2.x
        (dict(CLASSES=None), ('red', 'green', 'blue')),
        (dict(), ('red', 'green', 'blue')),
    ],
)
def test_the_classes_of_a_checkpoint(config, checkpoint, meta, classes):
    model = init_detector(config, with_meta(checkpoint, **meta), device='cpu')
    assert model.dataset_meta['classes'] == classes


def test_classes_that_are_not_the_models_are_left_and_it_is_said(config, checkpoint, said):
    path = with_meta(checkpoint, CLASSES=('x', 'y'))
    model = init_detector(config, path, device='cpu')
    assert model.dataset_meta['classes'] == ('red', 'green', 'blue')
    assert f'{path} names 2 classes for a model of 3: those of the config are taken' in said


def test_one_class_that_is_not_in_a_list(settings):
    settings['model']['mask_head']['num_classes'] = 1
    settings['test_dataloader']['dataset']['metainfo'] = dict(classes='person')
    assert init_detector(Config(settings), device='cpu').dataset_meta['classes'] == ('person',)


def test_classes_that_nobody_names(settings):
    model = Config(dict(model=settings['model']))
    assert init_detector(model, device='cpu').dataset_meta['classes'][2] == 'class 2'
    model.model.mask_head.num_classes = 80
    assert init_detector(model, device='cpu').dataset_meta['classes'] == COCO_CLASSES


def test_a_checkpoint_of_another_model(config, checkpoint):
    other = {'model.mask_head.num_classes': 4}
    with pytest.raises(UserError, match='does not fit the model'):
        init_detector(config, checkpoint, device='cpu', cfg_options=other)


def test_a_checkpoint_without_a_config(checkpoint):
    with pytest.raises(UserError, match='carries no config: name the config file'):
        load_detector(with_meta(checkpoint), device='cpu')


@pytest.mark.parametrize('load', [load_detector, DetInferencer])
def test_nothing_of_a_hostile_checkpoint_is_run(settings, checkpoint, load, tmp_path):
    made = tmp_path / 'made'
    named = dict(type='os.system', command=f'touch {made}')
    text = f"import os\nos.system('touch {made}')\nmodel = dict(type='SOLO')"
    for cfg in (
        dict(settings, model=named),
        dict(settings, visualizer=named),
        dict(settings, visualizer=dict(settings['visualizer'], vis_backends=[named])),
        dict(settings, test_dataloader=dict(dataset=dict(type='CocoDataset', pipeline=[named]))),
    ):
        with pytest.raises(UserError, match=r'os\.system'):
            load(with_meta(checkpoint, cfg_dict=cfg), device='cpu')
    # What a runner would build is not even looked at.
    cfg = dict(settings, train_cfg=named, custom_hooks=[named], custom_imports=dict(imports='x'))
    load(with_meta(checkpoint, cfg_dict=cfg, cfg=text, config=text), device='cpu')
    assert not made.exists()


# --- weights that a config begins with ----------------------------------------------------------


@pytest.fixture
def offline(monkeypatch):
    """Whatever would be downloaded fails the test."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(f'would be downloaded: {args}')

    monkeypatch.setattr('mmdet.engine.checkpoint.schemes.download', refuse)
    monkeypatch.setattr('torch.hub.load_state_dict_from_url', refuse)
    monkeypatch.setattr('urllib.request.urlopen', refuse)


def test_nothing_is_downloaded(settings, checkpoint, offline):
    settings['model']['backbone']['init_cfg'] = dict(
        type='Pretrained', checkpoint='torchvision://resnet18'
    )
    init_detector(Config(settings), checkpoint, device='cpu')
    init_detector(Config(settings), device='cpu')


def test_nothing_is_downloaded_for_timm(settings, offline):
    pytest.importorskip('timm')
    settings['model']['backbone'] = dict(
        type='TIMMBackbone', model_name='test_resnet', pretrained=True
    )
    settings['model']['neck']['in_channels'] = [32, 48, 48, 96]
    init_detector(Config(settings), device='cpu')


def test_sync_bn_is_undone(settings, checkpoint):
    settings['model']['backbone']['norm_cfg'] = dict(type='SyncBN')
    model = init_detector(Config(settings), checkpoint, device='cpu')
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in model.modules())
    assert model.dataset_meta['classes'] == ('a', 'b', 'c')


# --- colours ------------------------------------------------------------------------------------

COLORS = [(1, 2, 3), (4, 5, 6), (7, 8, 9)]
OTHERS = [(9, 9, 9)] * 3


def test_colours_are_those_asked_for_or_the_configs_or_the_checkpoints(settings, checkpoint):
    path = with_meta(checkpoint, dataset_meta=dict(classes='abc', palette=OTHERS))
    assert init_detector(Config(settings), path, device='cpu').dataset_meta['palette'] == OTHERS
    settings['test_dataloader']['dataset']['metainfo']['palette'] = COLORS
    config = Config(settings)
    assert init_detector(config, path, device='cpu').dataset_meta['palette'] == COLORS
    asked = init_detector(config, path, palette='voc', device='cpu').dataset_meta['palette']
    assert asked == named_palette('voc', 3)


@pytest.mark.parametrize('palette', ['random', [(1, 2, 3)], [1, 2, 3], []])
def test_odd_colours_of_a_checkpoint_are_left(config, checkpoint, palette):
    path = with_meta(checkpoint, dataset_meta=dict(classes=('a', 'b', 'c'), palette=palette))
    assert 'palette' not in init_detector(config, path, device='cpu').dataset_meta


def test_a_palette_that_is_none(config):
    with pytest.raises(UserError, match="no colour 'coca'"):
        init_detector(config, palette='coca', device='cpu')


# --- the device ---------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_the_cpu_where_there_is_no_gpu_which_is_said(config, checkpoint, said):
    model = init_detector(config, checkpoint)
    assert next(model.parameters()).device.type == 'cpu'
    assert said == ['PyTorch sees no GPU: the model runs on the CPU']
    load_detector(checkpoint)  # did not ask for one
    assert len(said) == 1


def test_a_device_that_is_none(config, monkeypatch):
    with pytest.raises(UserError, match="no device 'gpu'"):
        init_detector(config, device='gpu')
    with pytest.raises(UserError, match='PyTorch cannot use the device meta here: '):
        init_detector(config, device='meta')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    with pytest.raises(UserError, match='no cuda:2: PyTorch sees 2 GPUs'):
        init_detector(config, device='cuda:2')
