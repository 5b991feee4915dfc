"""A whole run with the model on a device that is not the CPU: what crosses to the host is moved."""

import json
from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor

from mmdet.datasets.shapes import CLASSES


@pytest.fixture
def config(tiny_model, shapes_root, tmp_path) -> dict:
    """Settings of a training with a log, checkpoints, validation, curves and pictures."""
    tiny_model['mask_head']['num_classes'] = len(CLASSES)
    tiny_model['test_cfg'] = dict(score_thr=0.0, mask_thr=0.01, filter_thr=0.0, max_per_img=10)
    load = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
        dict(type='Resize', scale=(96, 96), keep_ratio=True),
        dict(type='PackDetInputs'),
    ]

    def loader(split: str) -> dict:
        return dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='ShapesDataset',
                data_root=str(shapes_root),
                ann_file=f'annotations/instances_{split}.json',
                data_prefix=dict(img=f'{split}/'),
                pipeline=load,
                test_mode=split != 'train2017',
            ),
        )

    metric = dict(
        type='CocoMetric', ann_file=str(shapes_root / 'annotations/instances_val2017.json')
    )
    return dict(
        default_scope='mmdet',
        model=tiny_model,
        train_dataloader=loader('train2017'),
        val_dataloader=loader('val2017'),
        test_dataloader=loader('val2017'),
        val_evaluator=metric,
        test_evaluator=metric,
        train_cfg=dict(by_epoch=True, max_epochs=1),
        val_cfg=dict(),
        test_cfg=dict(),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.001), clip_grad=dict(max_norm=10)),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='CheckpointHook', interval=1),
            visualization=dict(
                type='DetVisualizationHook', draw=True, interval=1, score_thr=0, test_out_dir='vis'
            ),
        ),
        custom_hooks=[dict(type='CurvesHook')],
        visualizer=dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
        work_dir=str(tmp_path / 'work'),
    )


def run_of(config: dict, device: torch.device, **more: object) -> Runner:
    runner = Runner.from_cfg(Config({**config, **more}))
    runner.model.to(device)
    return runner


def test_training_testing_and_resuming(config, other_device):
    runner = run_of(config, other_device)
    runner.train()
    assert next(runner.model.parameters()).device == other_device
    work_dir = Path(runner.work_dir)

    scalars = (work_dir / runner.timestamp / 'vis_data' / 'scalars.json').read_text()
    logged = [json.loads(line) for line in scalars.splitlines()]
    assert sum('loss_mask' in line for line in logged) == 3  # 12 images, 4 a step
    assert 'coco/segm_mAP' in logged[-1]

    checkpoint = torch.load(work_dir / 'epoch_1.pth', weights_only=True)
    moments = [state['exp_avg'] for state in checkpoint['optimizer']['state'].values()]
    for tensor in (*checkpoint['state_dict'].values(), *moments):
        assert type(tensor) is Tensor and tensor.device.type == 'cpu'

    drawn = list((work_dir / runner.timestamp / 'vis_data' / 'vis_image').iterdir())
    assert len(drawn) == 2  # one a batch of the 7 images to validate with
    assert cv2.imread(str(work_dir / 'curves.png')) is not None

    runner = run_of(config, other_device, resume=True, train_cfg=dict(by_epoch=True, max_epochs=2))
    runner.train()
    assert runner.iter == 6
    runner.test()
    assert len(list((work_dir / runner.timestamp / 'vis').rglob('*.jpg'))) == 7
