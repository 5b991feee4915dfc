"""A trained detector, from a config and a checkpoint, or from a checkpoint alone."""

import logging
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Protocol, cast

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader

from mmdet.engine.checkpoint import check_fit, embedded_config
from mmdet.engine.config import check_model, read_config, with_tta
from mmdet.errors import UserError
from mmdet.export import ExportedDetector, is_exported
from mmdet.models import SOLO
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.visualization.palette import ColorChoice, named_palette

from .dataset_meta import dataset_meta


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


def init_detector(
    config: str | Path | Config,
    checkpoint: str | Path | None = None,
    palette: ColorChoice = 'none',
    device: str | torch.device = 'cuda:0',
    cfg_options: Mapping | None = None,
) -> Detector:
    """Build a detector and load its weights, as mmdetection 3.x does.

    Args:
        config: a config file's path, a shipped config's name, or a config.
        checkpoint: its weights; without, they are random, and the classes those of the config.
        palette: the classes' colours, see `named_palette`; `none` takes those that the config
            or else the checkpoint names, if one does.
        device: where the model runs; the CPU if PyTorch sees no GPU, which is said.
        cfg_options: settings that replace some of the config's, as `a.b=1` in `--cfg-options`.

    Returns:
        The model in evaluation mode, with its `cfg` and its `dataset_meta`: `classes`, those that
        the checkpoint names or else the config, and perhaps `palette`.

    Raises:
        UserError: the config is wrong, the checkpoint cannot be read, they do not fit, or there
            is no such palette or device.
    """
    if isinstance(config, str | Path):
        source = str(config)
        cfg = read_config(source)
    elif isinstance(config, Config):
        source = config.filename or 'the config'
        cfg = deepcopy(config)
    else:
        raise UserError(f'config is a {type(config).__name__}, not a path or a Config')
    device = _usable(device)
    content = None if checkpoint is None else load_checkpoint(str(checkpoint))
    return _build(
        cfg,
        source,
        content=content,
        checkpoint=str(checkpoint),
        palette=palette,
        device=device,
        cfg_options=cfg_options,
    )


def load_detector(
    checkpoint: str | Path,
    config: str | Path | Config | None = None,
    *,
    palette: ColorChoice = 'none',
    device: str | torch.device | None = None,
    cfg_options: Mapping | None = None,
    tta: bool = False,
) -> Detector:
    """Load a trained detector from a checkpoint, whose config it may carry itself.

    Args:
        checkpoint: a file or an address; or a file of tools/deployment/export.py.
        config: what it was trained with; by default the config that it carries.
        palette: as in `init_detector`.
        device: by default the first GPU that PyTorch sees, else the CPU.
        cfg_options: as in `init_detector`.
        tta: test-time augmentation, see `augmented`.

    Returns:
        What `init_detector` does.

    Raises:
        UserError: as in `init_detector`, or the checkpoint carries no config and none is named.
    """
    checkpoint = str(checkpoint)
    if is_exported(checkpoint):
        if tta:
            raise UserError(
                f'{checkpoint} is an exported file, which takes one view of an image: for '
                'test-time augmentation name the checkpoint'
            )
        if config is not None or cfg_options:
            raise UserError(
                f'{checkpoint} is an exported file, in which everything is settled: no config'
            )
        return ExportedDetector(checkpoint, palette, _usable(device or 'cpu')).eval()
    device = _usable(device or default_device())
    if config is not None:
        model = init_detector(config, checkpoint, palette, device, cfg_options)
    else:
        content = load_checkpoint(checkpoint)
        model = _build(
            embedded_config(content, source=checkpoint),
            f'the config in {checkpoint}',
            content=content,
            checkpoint=checkpoint,
            palette=palette,
            device=device,
            cfg_options=cfg_options,
        )
    return augmented(model) if tta else model


def augmented(model: Detector) -> Detector:
    """Return a detector that looks at several views of an image, by the same weights.

    Args:
        model: of `init_detector`. The views are those of the `tta_pipeline` in its config; by
            default the image and its mirror image.

    Returns:
        A detector in whose `cfg` the test pipeline gives these views, so that
        `inference_pipeline` and `infer` know of them.

    Raises:
        UserError: the model is not a PyTorch one, or its config has no views to give.
    """
    if not isinstance(model, SOLO):
        raise UserError(
            f'a {type(model).__name__} has no test-time augmentation: load the checkpoint instead'
        )
    cfg = with_tta(model.cfg)
    with DefaultScope.overwrite_default_scope('mmdet'):
        several = MODELS.build({**cfg.tta_model, 'module': model})
    several.cfg = cfg
    several.dataset_meta = model.dataset_meta
    return cast(Detector, several.eval())


def default_device() -> str:
    """Return the first GPU that PyTorch sees, else the CPU."""
    return 'cuda:0' if torch.cuda.is_available() else 'cpu'


def load_checkpoint(filename: str) -> dict:
    """Read a checkpoint from wherever it is, on the CPU, by mmengine's loaders."""
    return CheckpointLoader.load_checkpoint(filename, map_location='cpu', logger='silent')


def _build(
    cfg: Config,
    source: str,
    *,
    content: dict | None,
    checkpoint: str,
    palette: ColorChoice,
    device: torch.device,
    cfg_options: Mapping | None,
) -> Detector:
    if cfg_options:
        cfg.merge_from_dict(dict(cfg_options))
    check_model(cfg.to_dict(), source=source)
    with DefaultScope.overwrite_default_scope('mmdet'):
        settings = deepcopy(cfg.model)
        if cfg.get('data_preprocessor') and not settings.get('data_preprocessor'):
            settings.data_preprocessor = cfg.data_preprocessor
        model = MODELS.build(settings)
    if content is None:
        print_log(
            f'{source}: no checkpoint is named, so the weights are random',
            logger='current',
            level=logging.WARNING,
        )
    else:
        check_fit(model, checkpoint, content=content)
        model.load_state_dict(content['state_dict'], strict=False)
    number = model.mask_head.num_classes
    meta = dataset_meta(cfg, content or {}, number, source=source, checkpoint=checkpoint)
    if palette != 'none':
        meta['palette'] = named_palette(palette, number)
    model.cfg = cfg
    model.dataset_meta = meta
    # A trained model may be run in one process, where SyncBN has nobody to agree with.
    model = revert_sync_batchnorm(model)
    return cast(Detector, model.to(device).eval())


def _usable(device: str | torch.device) -> torch.device:
    try:
        device = torch.device(device)
    except RuntimeError:
        raise UserError(f'there is no device {device!r}: name cpu, cuda or cuda:1') from None
    if device.type != 'cuda':
        return _tried(device)
    number = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not number:
        print_log('PyTorch sees no GPU: the model runs on the CPU', logger='current')
        return torch.device('cpu')
    if (device.index or 0) >= number:
        raise UserError(f'there is no {device}: PyTorch sees {number} GPUs, from cuda:0 on')
    return device


def _tried(device: torch.device) -> torch.device:
    """Return a device on which a number can be written and read."""
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, ImportError) as error:  # each kind has its own
        reason = str(error).split('\n')[0][:200]
        raise UserError(f'PyTorch cannot use the device {device} here: {reason}') from None
    return device
