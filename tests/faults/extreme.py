"""Train two steps, or test, on an image of an extreme size: `extreme.py KIND STAGE DIR`.

It prints its peak memory in MB, before it began and at its end, as JSON.
"""

import json
import resource
import sys
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config

from mmdet.engine.runner import Runner
from mmdet.errors import exit_on_user_error
from mmdet.utils import register_all_modules
from tests.conftest import REPO

# (height, width), number of instances
KINDS = {
    'usual': ((480, 640), 8),
    'flat': ((20, 20_000), 20),
    'high': ((20_000, 20), 20),
    'pixel': ((1, 1), 1),
    'large': ((12_000, 12_000), 20),
    'crowded': ((800, 1333), 3000),
}


def write(kind: str, folder: Path) -> None:
    (height, width), number = KINDS[kind]
    cv2.imwrite(str(folder / f'{kind}.jpg'), np.full((height, width, 3), 127, np.uint8))
    generator = np.random.default_rng(0)
    annotations = []
    for identifier in range(1, number + 1):
        w, h = (int(generator.integers(1, max(2, side // 8))) for side in (width, height))
        x, y = int(generator.integers(0, width - w + 1)), int(generator.integers(0, height - h + 1))
        polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
        annotations.append(
            dict(id=identifier, image_id=1, category_id=1, iscrowd=0, area=w * h)
            | dict(bbox=[x, y, w, h], segmentation=[polygon])
        )
    image = dict(id=1, file_name=f'{kind}.jpg', height=height, width=width)
    categories = [dict(id=1, name='nut')]
    content = dict(images=[image], annotations=annotations, categories=categories)
    (folder / 'a.json').write_text(json.dumps(content))


def config(folder: Path) -> Config:
    """Return COCO's own settings at 1333 x 800, with a narrow model on the CPU."""
    cfg = Config.fromfile(REPO / 'configs/solo/solo_r50_fpn_1x_coco.py')
    cfg.model.backbone = dict(type='ResNet', depth=18, base_channels=8)
    cfg.model.neck.update(in_channels=[8, 16, 32, 64], out_channels=16)
    cfg.model.mask_head.update(num_classes=1, in_channels=16, feat_channels=16, stacked_convs=1)
    cfg.model.mask_head.norm_cfg = dict(type='GN', num_groups=4)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg[name]
        loader.update(batch_size=1, num_workers=0, persistent_workers=False)
        loader.dataset.update(
            data_root=str(folder), ann_file='a.json', data_prefix=dict(img=''), filter_cfg=None
        )
        loader.dataset.metainfo = dict(classes=('nut',))
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.test_evaluator.ann_file = str(folder / 'a.json')
    cfg.model.test_cfg.update(score_thr=0.0, filter_thr=0.0)  # an untrained model finds 100
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=99)
    cfg.param_scheduler = None
    cfg.optim_wrapper.optimizer.lr = 0.001
    cfg.work_dir = cfg.experiment_name = cfg.visualizer.name = str(folder / 'w')
    return cfg


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(kind: str, stage: str, folder: Path) -> None:
    register_all_modules()
    runner = Runner.from_cfg(config(folder))
    before = peak()
    write(kind, folder)
    (runner.train if stage == 'train' else runner.test)()
    print(json.dumps(dict(kind=kind, stage=stage, before=before, peak=peak())))


if __name__ == '__main__':
    with exit_on_user_error():
        main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
