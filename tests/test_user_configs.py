"""Configs as people bring them: `user_configs/`, each trained for some steps and validated.

They are written as mmdetection's documentation and examples have it, for images of 1333 x 800. Here
the images are an eighth of that, and so are the networks' channels.
"""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmdet.cli import test as test_command
from mmdet.cli import train as train_command
from mmdet.datasets.shapes import draw_dataset
from mmdet.models import DetTTAModel
from mmdet.registry import MODELS
from tests.conftest import REPO
from tests.test_configs import load

CONFIGS = REPO / 'tests/user_configs'
CLASSES = ('bolt', 'nut', 'washer')
_SIZES = ('scale', 'scales', 'img_scale', 'crop_size', 'size')


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    """A folder with `data/parts` as Roboflow exports it, and `data/more_parts`."""
    root = tmp_path_factory.mktemp('user')
    drawn = root / 'drawn'
    draw_dataset(str(drawn), num_train=6, num_val=2, seed=5, num_workers=1)
    _take(drawn, 'train', root / 'data/parts/train/_annotations.coco.json', 'train')
    _take(drawn, 'val', root / 'data/parts/valid/_annotations.coco.json', 'valid')
    _take(drawn, 'train', root / 'data/more_parts/train.json', 'images')
    return root


def _take(drawn: Path, part: str, to: Path, images: str) -> None:
    """Give shapes other categories' names and ids, and their files another place."""
    content = json.loads((drawn / f'annotations/instances_{part}2017.json').read_text())
    content['categories'] = [dict(id=7 * i + 3, name=name) for i, name in enumerate(CLASSES)]
    for annotation in content['annotations']:
        annotation['category_id'] = 7 * (annotation['category_id'] % len(CLASSES)) + 3
    folder = to.parent if images in {'train', 'valid'} else to.parent / images
    folder.mkdir(parents=True)
    for image in content['images']:
        (folder / image['file_name']).symlink_to(drawn / f'{part}2017' / image['file_name'])
    to.write_text(json.dumps(content))


def _smaller(node: object, key: str = '') -> object:
    """Return a config's value with all sizes of images an eighth of what they are."""
    if isinstance(node, dict):
        return {name: _smaller(value, name) for name, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(_smaller(value, key) for value in node)
    return node // 8 if key in _SIZES and isinstance(node, int) and node > 100 else node


def _narrower(model: dict) -> None:
    """Give a model an eighth of its channels; a quarter, if it is a Swin."""
    backbone, head = model['backbone'], model['mask_head']
    share = 8 if backbone['type'] == 'ResNet' else 4
    backbone.update(dict(base_channels=8) if share == 8 else dict(embed_dims=24), init_cfg=None)
    neck = model['neck']
    neck.update(in_channels=[each // share for each in neck['in_channels']], out_channels=32)
    head.update(in_channels=32, feat_channels=32)
    if 'mask_feature_head' in head:
        head['mask_feature_head'].update(feat_channels=32, out_channels=32)


@pytest.fixture
def train(data, tmp_path, monkeypatch):
    """A function that trains one of the configs, in the folder that its data lie below."""
    monkeypatch.chdir(data)

    def run(name: str, *options: str) -> Runner:
        cfg = load(CONFIGS / f'{name}.py')
        cfg = Config(_smaller(cfg.to_dict()))
        _narrower(cfg.model)
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            cfg[loader].update(num_workers=0, persistent_workers=False)
        path = tmp_path / f'{name}.py'
        cfg.dump(path)
        return train_command.main(
            [
                *(str(path), '--work-dir', str(tmp_path / 'run'), '--cfg-options'),
                *('default_hooks.logger.interval=1', *options),
            ]
        )

    return run


def log_of(runner: Runner) -> str:
    (path,) = Path(runner.work_dir).glob('*/*.log')
    return path.read_text()


def test_copy_paste_ema(train):
    runner = train('copy_paste_ema', 'train_cfg.max_epochs=1')
    averaged = torch.load(Path(runner.work_dir) / 'epoch_1.pth', weights_only=True)
    assert averaged['ema_state_dict']['steps'] > 0


def test_finetune(train, tmp_path):
    """The last layer begins anew, all else is the checkpoint's, and the log says which."""
    published = tmp_path / 'published.pth'
    cfg = load(REPO / 'configs/solo/decoupled-solo-light_r50_fpn_3x_coco.py')
    _narrower(cfg.model)
    weights = MODELS.build(cfg.model).state_dict()
    torch.save(dict(meta=dict(CLASSES=('person',) * 80), state_dict=weights), published)
    runner = train(
        *('finetune', f'load_from={published}'),
        *('train_cfg.max_epochs=1', 'optim_wrapper.optimizer.lr=0'),
    )
    trained = runner.model.state_dict()
    assert trained['mask_head.conv_cls.weight'].shape[0] == len(CLASSES)
    for name in ('backbone.layer4.2.conv3.weight', 'mask_head.cls_convs.3.conv.weight'):
        assert torch.equal(trained[name], weights[name]), name
    log = log_of(runner)
    assert 'of another shape, begin anew, 2: mask_head.conv_cls.weight (80, 32, 3, 3)' in log
    assert 'Epoch(val) [1]' in log


def test_class_balanced_albu(train):
    pytest.importorskip('albumentations')
    runner = train('class_balanced_albu', 'train_cfg.max_epochs=1')
    balanced = runner.train_dataloader.dataset.dataset.dataset
    assert len(balanced) > len(balanced.dataset) == 6  # images of a rare class come again
    assert 'loss_mask' in log_of(runner)


def test_two_datasets_tta(train, tmp_path):
    """After the first epoch comes the other pipeline; and the checkpoint is tested on six views."""
    runner = train(
        *('two_datasets_tta', 'train_cfg.max_epochs=2'),
        'train_cfg.val_interval=2',
    )
    assert len(runner.train_dataloader.dataset.dataset) == 6 + 2 * 6
    log = log_of(runner)
    assert 'Epoch(val) [2]' in log
    checkpoint = f'{runner.work_dir}/epoch_2.pth'
    tested = test_command.main(
        [str(tmp_path / 'two_datasets_tta.py'), checkpoint, '--tta', '--work-dir', str(tmp_path)]
    )
    assert isinstance(tested.model, DetTTAModel)
    assert (tmp_path / 'metrics_tta.json').is_file()


def test_solov2_swin(train):
    runner = train('solov2_swin', 'train_cfg.max_epochs=1')
    groups = runner.optim_wrapper.param_groups
    assert {group['weight_decay'] for group in groups} == {0.0, 0.05}
    assert 'Epoch(val) [1]' in log_of(runner)
