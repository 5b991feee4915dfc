import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from mmdet.engine.hooks import CheckpointHook
from tests.faults.small_training import build


def test_what_is_saved_can_be_read_without_running_code(tmp_path):
    checkpoint = dict(
        state_dict=dict(weight=torch.ones(2)),
        message_hub=dict(log_scalars={'train/loss': HistoryBuffer([0.5], [1])}),
        meta=dict(iter=3),
    )
    weights = checkpoint['state_dict']
    cfg = Config(dict(model=dict(type='SOLO', scale=(2, 1))))
    runner = SimpleNamespace(cfg=cfg, model=torch.nn.Linear(1, 2))
    CheckpointHook(interval=1).before_save_checkpoint(runner, checkpoint)
    assert checkpoint['state_dict'] is weights
    torch.save(checkpoint, tmp_path / 'a.pth')
    read = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert read['meta'] == dict(iter=3, cfg_dict=dict(model=dict(type='SOLO', scale=(2, 1))))
    assert read['message_hub']['log_scalars']['train/loss']['values'].tolist() == [0.5]


class Scores(Hook):
    """In place of a validation: one metric has its best in the second epoch, one in the last."""

    priority = 'LOWEST'

    def after_train_epoch(self, runner: Runner) -> None:
        checkpoints = next(h for h in runner.hooks if isinstance(h, MMEngineCheckpointHook))
        scores = dict(mAP=[0.1, 0.5, 0.3, 0.2][runner.epoch], loss=4 - runner.epoch)
        checkpoints.after_val_epoch(runner, scores)


@pytest.mark.parametrize(
    'settings',
    [
        dict(max_keep_ckpts=-1),
        dict(max_keep_ckpts=2),
        dict(max_keep_ckpts=3, by_epoch=False, interval=1),
        dict(max_keep_ckpts=1, interval=3),
        dict(max_keep_ckpts=1, interval=-1, save_last=False),
        dict(max_keep_ckpts=1, save_best='mAP'),
        dict(max_keep_ckpts=2, interval=2, save_best=['mAP', 'loss']),
        dict(max_keep_ckpts=1, save_best='auto', rule='greater'),
        dict(max_keep_ckpts=1, save_best='loss', published_keys=['meta', 'state_dict']),
        dict(max_keep_ckpts=1, out_dir='OUT', filename_tmpl='model_{}.pth'),
        dict(max_keep_ckpts=1, file_client_args=dict(backend='disk')),
        dict(max_keep_ckpts=1, backend_args=dict(backend='local')),
    ],
    ids=str,
)
def test_the_files_left_are_those_that_mmengine_leaves(tmp_path, settings):
    left = {}
    for kind in ('ours', 'mmengine'):
        if 'out_dir' in settings:
            settings['out_dir'] = str(tmp_path / kind / 'out')
        folder = tmp_path / kind / 'w'
        runner = build(kind, folder, epochs=4, custom_hooks=(Scores(),), **settings)
        runner.train()
        files = [file for file in folder.parent.rglob('*') if file.suffix in ('.pth', '')]
        left[kind] = {
            # What is published has a checksum in its name.
            re.sub(r'-[0-9a-f]{8}\.', '-SHA.', str(file.relative_to(folder.parent)))
            for file in files
            if not file.is_dir()
        }
        keep = runner.message_hub.runtime_info.get('keep_ckpt_ids')
        left[kind, 'kept'] = keep
        if (folder / 'last_checkpoint').exists():
            left[kind, 'note'] = Path((folder / 'last_checkpoint').read_text()).name
    assert left['ours'] == left['mmengine']
    assert left['ours', 'kept'] == left['mmengine', 'kept']
    assert left.get(('ours', 'note')) == left.get(('mmengine', 'note'))
