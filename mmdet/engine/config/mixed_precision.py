"""Mixed precision for a run whose config does not ask for it."""

from typing import Literal

from mmengine.config import Config


def use_mixed_precision(cfg: Config, stage: Literal['train', 'test']) -> None:
    """Change a config so that its training, or its test, computes in mixed precision."""
    if stage == 'train':
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    else:
        cfg.test_cfg.fp16 = True
