import pytest
from mmengine.config import Config

from mmdet.engine.config import with_tta
from mmdet.errors import UserError

TEST_PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'ori_shape', 'img_shape')),
]
META_KEYS = ('img_id', 'ori_shape', 'img_shape', 'flip', 'flip_direction')
# In the form that mmdetection's users write it
PIPELINE = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale=s, keep_ratio=True) for s in [(1333, 800), (1666, 1000)]],
            [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)],
            [dict(type='LoadAnnotations', with_bbox=True)],
            [dict(type='PackDetInputs', meta_keys=META_KEYS)],
        ],
    ),
]

MUTE = [
    dict(type='RandomFlip', prob=1.0),
    dict(type='PackDetInputs', meta_keys=META_KEYS[:-1]),
]


def config(model, **settings) -> Config:
    dataset = dict(type='CocoDataset', pipeline=TEST_PIPELINE)
    return Config(dict(model=model, test_dataloader=dict(dataset=dataset), **settings))


def test_by_default_the_test_pipelines_image_is_mirrored_too(tiny_model):
    cfg = config(tiny_model)
    found = with_tta(cfg)
    *before, views = found.test_dataloader.dataset.pipeline
    assert before == TEST_PIPELINE[:-1]
    flips, (pack,) = views['transforms']
    assert [flip['prob'] for flip in flips] == [0, 1]
    assert {'img_id', 'ori_shape', 'img_shape', 'flip', 'flip_direction'} == set(pack['meta_keys'])
    assert found.tta_model == dict(type='DetTTAModel')
    assert cfg.to_dict() == config(tiny_model).to_dict()  # is as it was


def test_the_configs_own_views_are_taken(tiny_model):
    model = dict(type='DetTTAModel', tta_cfg=dict(max_per_img=3))
    found = with_tta(config(tiny_model, tta_pipeline=PIPELINE, tta_model=model))
    assert found.test_dataloader.dataset.pipeline == PIPELINE
    assert found.tta_model == model


def test_no_test_pipeline_to_mirror(tiny_model):
    with pytest.raises(UserError, match='no test pipeline'):
        with_tta(Config(dict(model=tiny_model)))


@pytest.mark.parametrize(
    ('settings', 'complaint'),
    [
        (dict(tta_pipeline=MUTE), 'add flip_direction to meta_keys of PackDetInputs'),
        (dict(tta_pipeline=[dict(type='Resise')]), "there is no type 'Resise'"),
        (
            dict(tta_pipeline=[dict(type='TestTimeAug', transforms=[[dict(type='Resize', s=1)]])]),
            "Resize has no argument 's'",
        ),
        (
            dict(tta_model=dict(type='DetTTAModel', tta_cfg=dict(nms=dict(type='nms')))),
            "the config: tta_model.tta_cfg: tta_cfg has no argument 'nms': masks have Matrix NMS",
        ),
        (dict(tta_model=dict(type='DetTTAModel', tta_cfg=dict(sigma=-1))), 'sigma=-1'),
    ],
)
def test_mistakes(tiny_model, settings, complaint):
    with pytest.raises(UserError, match=complaint):
        with_tta(config(tiny_model, **settings))
