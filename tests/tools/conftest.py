"""A small training run, which several tests look at."""

from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.processes import run_tool

CONFIG = """
_base_ = '{repo}/configs/solo/solo_r18_fpn_shapes-cpu.py'
data_root = '{root}/'
model = dict(
    backbone=dict(base_channels=8),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
    mask_head=dict(in_channels=16, feat_channels=16, stacked_convs=1, norm_cfg=dict(num_groups=4)),
    # An untrained model finds nothing otherwise: it begins with probabilities of 0.01.
    test_cfg=dict(_delete_=True, score_thr=0.0, mask_thr=0.01, filter_thr=0.0, max_per_img=10),
)
# Nothing random: what test_train.py compares runs of; random transforms it adds itself.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False, dataset=dict(pipeline=train_pipeline)
)
# Alone: what an image is batched with decides its padding, and so the last digits of its scores.
val_dataloader = dict(batch_size=1, num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader
train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=2, val_interval=1)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.002),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [dict(type='OneCycleLR', eta_max=0.002, total_steps=6, by_epoch=False)]
custom_hooks = [dict(type='CurvesHook')]
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(_delete_=True, type='CheckpointHook', interval=1)
)
randomness = dict(seed=0)
"""


@pytest.fixture(scope='session')
def config(tmp_path_factory, shapes_root) -> str:
    path = tmp_path_factory.mktemp('config') / 'tiny_shapes.py'
    path.write_text(CONFIG.format(repo=REPO, root=shapes_root))
    return str(path)


@pytest.fixture(scope='session')
def trained(tmp_path_factory, config, environment, shapes_root) -> Path:
    """The work directory of two epochs of training."""
    work_dir = tmp_path_factory.mktemp('trained')
    run = run_tool(
        *('tools/train.py', config, '--work-dir', str(work_dir)),
        *('--data-root', str(shapes_root)),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    (work_dir / 'stdout').write_text(run.stdout + run.stderr)
    return work_dir
