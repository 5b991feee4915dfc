"""Any convolutional network or hierarchical transformer of timm's, by its name.

timm (https://github.com/huggingface/pytorch-image-models) has some hundred architectures that
return a pyramid of features. A model is tried on the meta device, where neither weights nor
features take memory, before it is built: what it would only tell in training is known at once.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

import torch
from mmengine.logging import print_log
from mmengine.model import initialize
from torch import Tensor, nn

from mmdet.errors import UserError, missing_package
from mmdet.registry import MODELS

if TYPE_CHECKING:
    from timm.models import FeatureInfo

# Swin is built for one image size unless it is told otherwise, and its last stage does not shift
# its windows where they cover that size.
_SWIN_MODULES = ('swin_transformer', 'swin_transformer_v2', 'swin_transformer_v2_cr')
_ANY_SIZE = dict(strict_img_size=False, always_partition=True)

# A multiple of every usual stride, and no square nor a size that a model is made for.
_TRIAL_SIZE = (192, 320)


# Not mmengine's BaseModule: that would call a timm model's own `init_weights`, which means another
# thing in each model, and would have the check of configs refuse the arguments that are timm's.
@MODELS.register_module()
class TIMMBackbone(nn.Module):
    """A timm model that returns its features.

    Weights are loaded in `init_weights`, so that only the start of a training needs them.

    Args:
        model_name: timm's name, with or without the tag of its weights: `convnext_tiny`,
            `resnet50.a1_in1k`.
        features_only: must be true; so that configs of mmsegmentation and mmpretrain run.
        pretrained: begin with timm's weights, downloaded once.
        checkpoint_path: begin with the weights of this file, a checkpoint of timm's for the
            model; it is read without running code in it.
        in_channels: of the images.
        out_indices: features that are returned, as timm counts them: often 0 is at stride 4, but
            at stride 2 in many convolutional networks. By default those at stride 4 and coarser.
        init_cfg: see mmengine's `initialize`; by default timm's own initialisation.
        **kwargs: further arguments of `timm.create_model` and of the model, such as
            `drop_path_rate`.

    Attributes:
        out_channels: of each feature, what the neck takes as `in_channels`.

    Raises:
        UserError: timm is not installed, or it does not know the model or an argument; or the
            model's features are no pyramid, or it takes images of one size only.
    """

    def __init__(
        self,
        model_name: str,
        features_only: bool = True,
        pretrained: bool = False,
        checkpoint_path: str = '',
        in_channels: int = 3,
        out_indices: Sequence[int] | None = None,
        init_cfg: dict | list[dict] | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__()
        if not features_only:
            raise UserError('TIMMBackbone returns features: set features_only=True')
        _check_name(model_name)
        if _timm().models.is_model_in_modules(model_name, _SWIN_MODULES):
            kwargs = {**_ANY_SIZE, **kwargs}
        self.arguments = dict(model_name=model_name, in_chans=in_channels, **kwargs)
        self.pretrained = pretrained
        self.checkpoint_path = checkpoint_path
        self.init_cfg = init_cfg

        with torch.device('meta'):
            if out_indices is None:
                every = _feature_info(_create(self.arguments))
                out_indices = [
                    index
                    for index, stride in zip(every.out_indices, every.reduction(), strict=True)
                    if stride >= 4
                ]
            self.arguments['out_indices'] = tuple(out_indices)
            trial = _create(self.arguments)
            unused = _try_out(trial, model_name, in_channels)
        self.timm_model = _create(self.arguments)
        for name in unused:
            self.timm_model.get_parameter(name).requires_grad_(False)
        info = _feature_info(trial)
        self.out_channels = list(info.channels())
        strides = info.reduction()
        print_log(f'{model_name}: {self.out_channels} channels at strides {strides}', 'current')

    def init_weights(self) -> None:
        """Initialise as `init_cfg` says, then load the weights that were asked for.

        Raises:
            UserError: they cannot be downloaded or read, or do not fit.
        """
        if self.init_cfg:
            initialize(self, self.init_cfg)
        if self.pretrained or self.checkpoint_path:
            weights = _load_weights(self.arguments, self.checkpoint_path)
            self.timm_model.load_state_dict(weights)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return (B, C, H / stride, W / stride) features of (B, in_channels, H, W) images.

        H and W are multiples of the coarsest stride.
        """
        return _features(self.timm_model, images)


def _timm() -> ModuleType:
    try:
        import timm
    except ImportError:
        raise missing_package('TIMMBackbone needs timm', 'timm') from None
    return timm


def _check_name(model_name: str) -> None:
    timm = _timm()
    is_local_or_on_a_hub = ':' in model_name
    if not is_local_or_on_a_hub and not timm.is_model(model_name):
        close = get_close_matches(model_name.split('.')[0], timm.list_models())
        advice = f'did you mean {" or ".join(close)}?' if close else 'see timm.list_models()'
        raise UserError(f'timm {timm.__version__} has no model {model_name!r}; {advice}')


def _create(arguments: dict) -> nn.Module:
    try:
        return _timm().create_model(features_only=True, **arguments)
    except Exception as error:  # every model checks its arguments in its own way
        raise UserError(
            f'timm cannot build {arguments["model_name"]} with the arguments of the backbone: '
            f'{_one_line(error)}'
        ) from error


def _feature_info(model: nn.Module) -> 'FeatureInfo':
    return cast('FeatureInfo', model.feature_info)


def _features(model: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    features = model(images)
    if getattr(model, 'output_fmt', 'NCHW') == 'NHWC':
        features = [feature.permute(0, 3, 1, 2) for feature in features]
    return tuple(feature.contiguous() for feature in features)


def _try_out(model: nn.Module, model_name: str, in_channels: int) -> list[str]:
    """Run a model on the meta device; return the names of parameters that get no gradient.

    Raises:
        UserError: its features are not of falling resolution, or do not follow the images' size.
    """
    info = _feature_info(model)
    strides = info.reduction()
    if any(fine >= coarse for fine, coarse in pairwise(strides)):
        raise UserError(
            f'the features of {model_name} are at strides {strides}, no pyramid: choose a model '
            'whose resolution falls from stage to stage, such as convnext_tiny'
        )
    height, width = _TRIAL_SIZE
    expected = [
        (2, channels, height // stride, width // stride)
        for channels, stride in zip(info.channels(), strides, strict=True)
    ]
    try:
        features = _features(model, torch.zeros(2, in_channels, height, width))
    except Exception as error:  # each model fails in its own way
        raise _other_size(model_name, _one_line(error)) from error
    shapes = [tuple(feature.shape) for feature in features]
    if shapes != expected:
        raise _other_size(model_name, f'features of {shapes} instead of {expected}')
    torch.stack([feature.sum() for feature in features]).sum().backward()
    return [name for name, weight in model.named_parameters() if weight.grad is None]


def _other_size(model_name: str, reason: str) -> UserError:
    height, width = _TRIAL_SIZE
    return UserError(
        f'{model_name} does not suit images of any size (at {height} x {width}: {reason}): choose '
        'another model, such as convnext_tiny or swin_tiny_patch4_window7_224'
    )


def _load_weights(arguments: dict, checkpoint_path: str) -> dict[str, Tensor]:
    """Return the weights for the model that `arguments` describe, from a file or timm's hub.

    Raises:
        UserError: they cannot be had, or leave some of the model's weights as they were.
    """
    model_name, load_state_dict = arguments['model_name'], _timm().models.load_state_dict
    if checkpoint_path and not Path(checkpoint_path).is_file():
        raise UserError(f'checkpoint_path {checkpoint_path} is not a file')
    # From the same random state a model begins with the same weights: what is still equal to them
    # was not loaded. timm would only log it.
    state = torch.get_rng_state()
    fresh = dict(_create(arguments).named_parameters())
    torch.set_rng_state(state)
    try:
        overlay = dict(arguments.get('pretrained_cfg_overlay') or {})
        if checkpoint_path:
            overlay['state_dict'] = load_state_dict(checkpoint_path, weights_only=True)
        loaded = _timm().create_model(
            features_only=True,
            pretrained=True,
            **{**arguments, 'pretrained_cfg_overlay': overlay},
        )
    except Exception as error:  # a file, a hub and a network fail in many ways
        if checkpoint_path:
            remedy = f'is {checkpoint_path} a checkpoint of it?'
        else:
            remedy = (
                "download them elsewhere and set the backbone's checkpoint_path=FILE, or train "
                'from scratch with pretrained=False'
            )
        reason = _one_line(error)
        raise UserError(f'cannot load weights of {model_name} ({reason}): {remedy}') from error
    untouched = [
        name
        for name, weight in loaded.named_parameters()
        if weight.ndim > 1 and torch.equal(weight, fresh[name])
    ]
    if untouched:
        raise UserError(
            f'{checkpoint_path or "the download"} does not fit {model_name}: it holds nothing for '
            f'{len(untouched)} of its weights, such as {untouched[0]}'
        )
    return loaded.state_dict()


def _one_line(error: Exception) -> str:
    text = ' '.join(f'{type(error).__name__}: {error}'.split())
    return text if len(text) <= 300 else f'{text[:300]}...'
