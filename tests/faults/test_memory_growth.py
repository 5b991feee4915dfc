"""Long runs take no more host memory at their end than near their beginning."""

import gc
import json
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.structures import BaseDataElement

from mmdet.registry import HOOKS
from tests.conftest import REPO
from tests.faults.sessions import Session, end, importing
from tests.faults.training import EPOCH, config, train

MOST = 1.03
SAYING = """
import re
from pathlib import Path
from mmengine.hooks import Hook
from mmdet.registry import HOOKS

def say(step):
    if step % 200 == 0:
        status = Path('/proc/self/status').read_text()
        print('resident', step, re.search(r'VmRSS:\\s+(\\d+)', status)[1], flush=True)

@HOOKS.register_module()
class Memory(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        say(runner.iter + 1)

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        say(batch_idx + 1)
"""


def repeated(ann_file: Path, images: int, out: Path) -> str:
    """Write an annotation file that has the images of another over and over."""
    content = json.loads(ann_file.read_text())
    of_image: dict[int, list[dict]] = {}
    for annotation in content['annotations']:
        of_image.setdefault(annotation['image_id'], []).append(annotation)
    originals, content['annotations'] = content['images'], []
    content['images'] = []
    for number in range(1, images + 1):
        image = originals[number % len(originals)]
        content['images'].append({**image, 'id': number})
        for annotation in of_image.get(image['id'], ()):
            at = dict(id=len(content['annotations']) + 1, image_id=number)
            content['annotations'].append(annotation | at)
    out.write_text(json.dumps(content))
    return str(out)


@pytest.fixture
def settings(shapes_root, tmp_path) -> Config:
    """A training of 2,000 steps, in epochs of 400, with all that a usual one notes and saves."""
    (tmp_path / 'saying.py').write_text(SAYING)
    cfg = config(shapes_root, tmp_path / 'w', epochs=5, workers=2)
    annotations = shapes_root / 'annotations'
    data = cfg.train_dataloader.dataset
    data.ann_file = repeated(annotations / 'instances_train2017.json', 800, tmp_path / 'train.json')
    data.pipeline[2] = dict(type='Resize', scale=(64, 64))
    cfg.model.neck.type = 'FPN'
    cfg.custom_hooks = [dict(type=name) for name in ('EMAHook', 'CurvesHook', 'Memory')]
    cfg.default_hooks = dict(
        logger=dict(type='LoggerHook', interval=50),
        checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=1),
    )
    cfg.log_level = 'INFO'
    return cfg


def residents(session: Session) -> dict[int, int]:
    """Return the resident kilobytes of a session's first process, by the step."""
    text, _ = end(session, timeout=1800)
    assert session.returncode == 0, text
    return {int(step): int(size) for step, size in re.findall(r'resident (\d+) (\d+)', text)}


@pytest.mark.long
def test_a_training_of_2000_steps(start, settings, tmp_path):
    found = residents(start('tools/train.py', importing(settings, tmp_path, 'saying')))
    print(found)
    assert max(found) == 2000
    assert max(found.values()) < MOST * found[200]


@pytest.mark.long
def test_an_evaluation_of_5000_images(start, settings, tmp_path, shapes_root):
    """Its predictions are kept until the end: here ten small masks of each image."""
    shipped = Config.fromfile(REPO / 'configs/solo/solo_r18_fpn_shapes-cpu.py')
    settings.update(
        {key: shipped[key] for key in ('test_cfg', 'test_dataloader', 'test_evaluator')}
    )
    truth = repeated(
        shapes_root / 'annotations/instances_val2017.json', 5000, tmp_path / 'val.json'
    )
    settings.test_evaluator.ann_file = truth
    data = settings.test_dataloader.dataset
    data.update(data_root=str(shapes_root), ann_file=truth)
    resize = next(each for each in data.pipeline if each['type'] == 'Resize')
    resize.clear()
    resize.update(type='Resize', scale=(64, 64))
    settings.model.test_cfg = dict(score_thr=0.0, filter_thr=0.0, max_per_img=10)
    path = importing(settings, tmp_path, 'saying')
    short = ('train_cfg.max_epochs=1', 'train_dataloader.batch_size=400')
    end(start('tools/train.py', path, '--cfg-options', *short), timeout=600)
    found = residents(start('tools/test.py', path, tmp_path / 'w/epoch_1.pth'))
    print(found)
    assert max(found) == 5000
    assert max(found.values()) < MOST * found[200]


@HOOKS.register_module()
class Census(Hook):
    """Counts what Python holds of images and of the model, at the end of each epoch."""

    def __init__(self) -> None:
        self.counts: list[Counter] = []

    def after_train_epoch(self, runner) -> None:
        gc.collect()
        kinds = (torch.Tensor, BaseDataElement)
        self.counts.append(
            Counter(
                kind.__name__
                for each in gc.get_objects()
                for kind in kinds
                if issubclass(type(each), kind)
            )
        )


def test_no_epoch_leaves_anything_of_its_batches(shapes_root, tmp_path):
    cfg = config(shapes_root, tmp_path, epochs=3)
    cfg.custom_hooks = [dict(type='Census')]
    runner = train(cfg).runner
    _, second, third = next(hook.counts for hook in runner.hooks if isinstance(hook, Census))
    assert third == second
    assert second['Tensor'] > EPOCH
