"""What takes less memory, of all that is not in use yet."""

from collections.abc import Sequence

import torch
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper

from mmdet.engine.config import is_a
from mmdet.models.backbones import ResNet, SwinTransformer
from mmdet.registry import MODELS, OPTIM_WRAPPERS


def advice(cfg: Config, *, stage: str) -> list[str]:
    """Return lines that say how to run a config in less memory.

    Args:
        cfg: the config as it is.
        stage: `load` for loading what is trained on, `train`, `val` or `test`.
    """
    name = f'{stage if stage in ("val", "test") else "train"}_dataloader'
    loader = cfg.get(name) or {}
    batch_size, workers = loader.get('batch_size'), loader.get('num_workers')
    several = isinstance(batch_size, int) and batch_size > 1
    options: list[tuple[str, str]] = []
    if stage == 'train':
        options += _of_batch_size(cfg, batch_size) if several else []
        options += _of_precision_and_model(cfg)
    elif several:
        options.append((f'--cfg-options {name}.batch_size={batch_size // 2}', 'fewer at once'))
    if stage == 'load' and isinstance(workers, int) and workers > 0:
        options.append((f'--cfg-options {name}.num_workers={workers // 2}', 'fewer at once'))
    options.append((f'a smaller scale in {name}.dataset.pipeline', ''))
    return ['What takes less memory:', *_table(options)]


def _of_batch_size(cfg: Config, batch_size: int) -> list[tuple[str, str]]:
    steps = batch_size // 2
    options = [(f'--cfg-options train_dataloader.batch_size={steps}', 'fewer images at once')]
    wrapper = cfg.get('optim_wrapper') or {}
    if 'optimizer' in wrapper:
        counts = 2 * wrapper.get('accumulative_counts', 1)
        halves = f'train_dataloader.batch_size={steps} optim_wrapper.accumulative_counts={counts}'
        options.append(
            (f'--cfg-options {halves}', 'fewer at once, and as many for each step of the optimizer')
        )
    options.append(('--auto-batch', 'finds the largest batch_size that fits'))
    return options


def _of_precision_and_model(cfg: Config) -> list[tuple[str, str]]:
    options = []
    if not is_a(cfg.get('optim_wrapper') or {}, OPTIM_WRAPPERS, AmpOptimWrapper):
        kind = 'float16' if torch.cuda.is_available() else 'bfloat16'
        options.append(('--amp', f'features in {kind}, half as large'))
    backbone = (cfg.get('model') or {}).get('backbone') or {}
    has_with_cp = any(is_a(backbone, MODELS, cls) for cls in (ResNet, SwinTransformer))
    if has_with_cp and not backbone.get('with_cp'):
        options.append(
            (
                '--cfg-options model.backbone.with_cp=True',
                "the backbone's features are computed twice, and not kept",
            )
        )
    return options


def _table(options: Sequence[tuple[str, str]]) -> list[str]:
    return [f'    {option}{f": {what}" if what else ""}' for option, what in options]
