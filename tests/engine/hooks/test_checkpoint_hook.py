from types import SimpleNamespace

import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer

from mmdet.engine.hooks import CheckpointHook


def test_what_is_saved_can_be_read_without_running_code(tmp_path):
    checkpoint = dict(
        state_dict=dict(weight=torch.ones(2)),
        message_hub=dict(log_scalars={'train/loss': HistoryBuffer([0.5], [1])}),
        meta=dict(iter=3),
    )
    weights = checkpoint['state_dict']
    runner = SimpleNamespace(cfg=Config(dict(model=dict(type='SOLO', scale=(2, 1)))))
    CheckpointHook(interval=1).before_save_checkpoint(runner, checkpoint)
    assert checkpoint['state_dict'] is weights
    torch.save(checkpoint, tmp_path / 'a.pth')
    read = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert read['meta'] == dict(iter=3, cfg_dict=dict(model=dict(type='SOLO', scale=(2, 1))))
    assert read['message_hub']['log_scalars']['train/loss']['values'].tolist() == [0.5]
