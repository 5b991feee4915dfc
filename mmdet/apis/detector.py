"""A trained detector, from a config and a checkpoint, or from a checkpoint alone."""

import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Protocol, cast

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader

from mmdet.datasets.coco_classes import COCO_CLASSES
from mmdet.engine.checkpoint import check_fit, embedded_config
from mmdet.engine.config import check_model, datasets_of, read_config
from mmdet.errors import UserError
from mmdet.registry import DATASETS, MODELS
from mmdet.structures import DetDataSample
from mmdet.visualization.palette import named_palette


class Detector(Protocol):
    """A trained model, ready to be run: what `init_detector` returns.

    Attributes:
        cfg: its config.
        dataset_meta: `classes`, their names, and perhaps `palette`, their colours.
    """

    cfg: Config
    dataset_meta: dict

    def test_step(self, data: dict) -> list[DetDataSample]:
        """Return samples with `pred_instances` for a batch of `inputs` and `data_samples`."""
        ...


EXPORTED_SUFFIXES = ('.onnx', '.pt2', '.xml')
"""Of the files that `load_detector` takes in the place of a checkpoint."""

_LOADERS = ('test_dataloader', 'val_dataloader', 'train_dataloader')


def init_detector(
    config: str | Path | Config,
    checkpoint: str | None = None,
    palette: str = 'none',
    device: str | torch.device = 'cuda:0',
    cfg_options: Mapping | None = None,
) -> Detector:
    """Build a detector and load its weights, as mmdetection 3.x does.

    Args:
        config: a config file's path, a shipped config's name, or a config.
        checkpoint: its weights; without, they are random, and the classes those of the config.
        palette: the classes' colours, see `named_palette`; `none` takes those that the
            checkpoint names, if it does.
        device: where the model runs; the CPU if PyTorch sees no GPU, which is said.
        cfg_options: settings that replace some of the config's, as `a.b=1` in `--cfg-options`.

    Returns:
        The model in evaluation mode, with its `cfg` and its `dataset_meta`: `classes` and
        `palette`.

    Raises:
        UserError: the config is wrong, the checkpoint cannot be read, or they do not fit.
    """
    if isinstance(config, str | Path):
        source = str(config)
        cfg = read_config(source)
    elif isinstance(config, Config):
        source = config.filename or 'the config'
        cfg = deepcopy(config)
    else:
        raise UserError(f'config is a {type(config).__name__}, not a path or a Config')
    content = None if checkpoint is None else load_checkpoint(checkpoint)
    return _build(
        cfg,
        source,
        content=content,
        checkpoint=checkpoint,
        palette=palette,
        device=device,
        cfg_options=cfg_options,
    )


def load_detector(
    checkpoint: str | Path,
    config: str | Path | Config | None = None,
    *,
    palette: str = 'none',
    device: str | torch.device | None = None,
    cfg_options: Mapping | None = None,
) -> Detector:
    """Load a trained detector from a checkpoint, whose config it may carry itself.

    Args:
        checkpoint: a file or an address; or a file of tools/deployment/export.py.
        config: what it was trained with; by default the config that it carries.
        palette: as in `init_detector`.
        device: by default the first GPU that PyTorch sees, else the CPU.
        cfg_options: as in `init_detector`.

    Returns:
        What `init_detector` does.

    Raises:
        UserError: as in `init_detector`, or the checkpoint carries no config and none is named.
    """
    checkpoint = str(checkpoint)
    if checkpoint.endswith(EXPORTED_SUFFIXES):
        return _load_exported(checkpoint, config, palette, device, cfg_options)
    device = device or ('cuda:0' if torch.cuda.is_available() else 'cpu')
    if config is not None:
        return init_detector(config, checkpoint, palette, device, cfg_options)
    content = load_checkpoint(checkpoint)
    return _build(
        embedded_config(content, source=checkpoint),
        f'the config in {checkpoint}',
        content=content,
        checkpoint=checkpoint,
        palette=palette,
        device=device,
        cfg_options=cfg_options,
    )


def _load_exported(
    path: str,
    config: str | Path | Config | None,
    palette: str,
    device: str | torch.device | None,
    cfg_options: Mapping | None,
) -> Detector:
    """Load a file of tools/deployment/export.py, which carries all that there is to say of it."""
    from mmdet.export.detector import ExportedDetector

    if config is not None or cfg_options:
        raise UserError(f'{path} is an exported file, in which everything is settled: no config')
    return ExportedDetector(path, palette, device or 'cpu').eval()


def load_checkpoint(filename: str) -> dict:
    """Read a checkpoint from wherever it is, on the CPU, by mmengine's loaders."""
    return CheckpointLoader.load_checkpoint(filename, map_location='cpu', logger='silent')


def _build(
    cfg: Config,
    source: str,
    *,
    content: dict | None,
    checkpoint: str | None,
    palette: str,
    device: str | torch.device,
    cfg_options: Mapping | None,
) -> Detector:
    if cfg_options:
        cfg.merge_from_dict(dict(cfg_options))
    check_model(cfg.to_dict(), source=source)
    device = _usable(device)
    with DefaultScope.overwrite_default_scope('mmdet'):
        settings = deepcopy(cfg.model)
        if cfg.get('data_preprocessor') and not settings.get('data_preprocessor'):
            settings.data_preprocessor = cfg.data_preprocessor
        model = MODELS.build(settings)
        meta: dict = dict(classes=_classes(cfg))
    if content is None:
        print_log(
            f'{source}: no checkpoint is named, so the weights are random',
            logger='current',
            level=logging.WARNING,
        )
        model.init_weights()
    else:
        check_fit(model, str(checkpoint), content=content)
        model.load_state_dict(content['state_dict'], strict=False)
        meta |= _carried_meta(content)
    number = model.mask_head.num_classes
    if len(meta['classes']) != number:
        raise UserError(
            f'{source}: the model has {number} classes, but {len(meta["classes"])} are named: '
            'set metainfo in test_dataloader.dataset'
        )
    if palette != 'none':
        meta['palette'] = named_palette(palette, number)
    model.cfg = cfg
    model.dataset_meta = meta
    # A trained model may be run in one process, where SyncBN has nobody to agree with.
    model = revert_sync_batchnorm(model)
    return cast(Detector, model.to(device).eval())


def _usable(device: str | torch.device) -> torch.device:
    device = torch.device(device)
    if device.type == 'cuda' and not torch.cuda.is_available():
        print_log('PyTorch sees no GPU: the model runs on the CPU', logger='current')
        return torch.device('cpu')
    return device


def _classes(cfg: Config) -> tuple[str, ...]:
    """Return the class names that a config's data sets have; COCO's, if they are 80."""
    for dataset in (each for name in _LOADERS for each in datasets_of(cfg.get(name))):
        kind = dataset.get('type')
        cls = DATASETS.get(kind) if isinstance(kind, str) else kind
        metainfo = dataset.get('metainfo') or {}
        classes = metainfo.get('classes') or getattr(cls, 'METAINFO', {}).get('classes')
        if isinstance(classes, list | tuple):
            return tuple(classes)
    number = cfg.model.mask_head.num_classes
    if number == len(COCO_CLASSES):
        return COCO_CLASSES
    return tuple(f'class {index}' for index in range(number))


def _carried_meta(content: Mapping) -> dict:
    """Return the classes and the palette that a checkpoint of any mmdetection names."""
    meta = content.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    named = meta.get('dataset_meta')
    named = named if isinstance(named, Mapping) else {}
    lower = {str(key).lower(): value for key, value in named.items()}
    classes = lower.get('classes') or meta.get('CLASSES')
    palette = lower.get('palette') or meta.get('PALETTE')
    found: dict = {}
    if isinstance(classes, Sequence) and not isinstance(classes, str):
        found['classes'] = tuple(map(str, classes))
    if isinstance(palette, Sequence) and len(palette) == len(found.get('classes', ())):
        found['palette'] = [tuple(color) for color in palette]
    return found
