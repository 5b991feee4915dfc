import pytest
import torch
from mmengine.config import Config

from mmdet.engine.checkpoint import embedded_config, to_plain
from mmdet.errors import UserError
from mmdet.registry import MODELS

MODEL = dict(
    type='SOLO',
    backbone=dict(type='ResNet', depth=18, norm_cfg=dict(type='BN', requires_grad=True)),
    neck=dict(type='FPN', in_channels=[64, 128, 256, 512], out_channels=32, num_outs=5),
    mask_head=dict(type='SOLOHead', num_classes=3, in_channels=32, scale_ranges=((1, 96),)),
)
LOADER = dict(
    sampler=dict(type='a.samplers.Own'),
    dataset=dict(type='CocoDataset', pipeline=[dict(type='LoadImageFromFile')]),
)


def carried(**settings: object) -> dict:
    cfg = Config(dict(model=MODEL, test_dataloader=LOADER) | settings)
    return dict(meta=dict(cfg_dict=to_plain(cfg.to_dict(), name='cfg')))


def test_a_config_comes_back_as_it_was():
    settings = dict(scale=(1333, 800), flag=None, rates=[0.1, -2])
    cfg = embedded_config(carried(**settings), source='a.pth')
    assert cfg.to_dict() == dict(model=MODEL, test_dataloader=LOADER) | settings


def test_mmdetections_text_is_read_as_data():
    cfg = Config(
        dict(model=MODEL, test_dataloader=LOADER, rates=[0.1, -2], named={'a.b': (1, None)})
    )
    checkpoint = dict(meta=dict(cfg=cfg.pretty_text))
    assert embedded_config(checkpoint, source='a.pth').to_dict() == cfg.to_dict()


@pytest.mark.parametrize(
    'text',
    [
        "open('{}', 'w')",
        "model = dict(type=open('{}', 'w'))",
        "model = dict(type='SOLO', n=[open('{}', 'w') for _ in [0]])",
        "model = dict(**dict(type=open('{}', 'w')))",
        'x = ' + '(' * 300 + ')' * 300,
    ],
)
def test_text_is_never_run(text, tmp_path):
    path = tmp_path / 'made'
    checkpoint = dict(meta=dict(cfg=text.format(path)))
    with pytest.raises(UserError, match=r'a\.pth'):
        embedded_config(checkpoint, source='a.pth')
    assert not path.exists()


@pytest.mark.parametrize(
    'kind',
    ['os.system', 'subprocess.Popen', 'mmdet.engine.torchrun.subprocess.run', 'MyHead', 'x.SOLO'],
)
@pytest.mark.parametrize(
    'place', ['model', 'neck', 'norm', 'dataset', 'pipeline', 'tta', 'visualizer']
)
def test_code_that_is_not_registered_is_refused(kind, place):
    named = dict(type=kind, command='true')
    settings = {
        'model': dict(model=named),
        'neck': dict(model=MODEL | dict(neck=named)),
        'norm': dict(model=MODEL | dict(backbone=dict(type='ResNet', depth=18, norm_cfg=named))),
        'dataset': dict(val_dataloader=dict(dataset=named)),
        'pipeline': dict(
            test_dataloader=dict(dataset=dict(type='CocoDataset', pipeline=[[named]]))
        ),
        'tta': dict(tta_pipeline=[dict(type='TestTimeAug', transforms=[[named]])]),
        'visualizer': dict(visualizer=dict(type='DetLocalVisualizer', vis_backends=[named])),
    }[place]
    with pytest.raises(UserError, match=kind):
        embedded_config(carried(**settings), source='a.pth')


def test_a_foreign_scope_is_refused():
    with pytest.raises(UserError, match='evil'):
        embedded_config(carried(model=MODEL | dict(_scope_='evil')), source='a.pth')


@pytest.mark.parametrize('name', ['SOLO', 'mmdet.SOLO', 'mmdet.models.detectors.solo.SOLO'])
def test_what_is_registered_may_have_any_of_its_names(name):
    cfg = embedded_config(carried(model=MODEL | dict(type=name)), source='a.pth')
    assert MODELS.get(cfg.model.type).__name__ == 'SOLO'


@pytest.mark.parametrize(
    'checkpoint', [{}, dict(meta=None), dict(meta=dict(cfg=None)), dict(meta=dict(cfg_dict={}))]
)
def test_without_a_config(checkpoint):
    with pytest.raises(UserError, match='carries no config: name the config file'):
        embedded_config(checkpoint, source='a.pth')


def test_what_is_saved_is_plain(tmp_path):
    torch.save(carried(), tmp_path / 'a.pth')
    read = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert embedded_config(read, source='a.pth').model == MODEL
