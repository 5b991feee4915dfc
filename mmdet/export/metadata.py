"""What an exported file says of itself, as text by name: so it fits into every format."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pprint import pformat
from typing import Any

import torch
from mmengine.config import Config

import mmdet
from mmdet.engine.checkpoint import embedded_config
from mmdet.engine.checkpoint.plain import to_plain
from mmdet.engine.config import pipeline_of_tests
from mmdet.errors import UserError
from mmdet.models.detectors import SOLO

FORMAT_VERSION = 1

# With a side of one pixel at the coarsest level the exporter would not tell it from a dimension to
# be broadcast, so a file that takes any size takes none below.
MIN_DYNAMIC_SIDE = 64


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """All that a program must know to use an exported file.

    Attributes:
        producer: this project and PyTorch, with their versions.
        head: class of the head.
        classes: names, in the order of the labels.
        palette: a colour (red, green, blue) for each class, or none.
        color_order: of the input's channels, `BGR` or `RGB`.
        mean: of the input's channels, in their order; subtracted in the file.
        std: likewise; what remains is divided by it in the file.
        pad_color: what to fill the input with, beside and below the image: zero in the network.
        size: (height, width) of the input, multiples of 32; none if any is taken.
        pad_size_divisor: the input's height and width are to be the least multiples of it.
        test_scale: (longer, shorter) side that the test pipeline resizes images to, or none.
        test_factor: what it multiplies an image's sides by where `test_scale` is none.
        num_candidates: pairs of a cell and a class whose masks are drawn; the result is PyTorch's
            where no more score above `score_thr`, as the output `num_above` tells.
        test_cfg: thresholds and limits, as in a config.
        num_grids: cells along the side of each level's grid.
        strides: of each level: an instance has more pixels at a quarter of the input.
        half: weights and most of the computation are in float16.
        raw: the heads' outputs, not instances.
        outputs: their names.
        config: the model's kind and the test pipeline, as the text of a config.
        format_version: of this list.
    """

    producer: str
    head: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...] | None
    color_order: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    pad_color: tuple[float, ...]
    size: tuple[int, int] | None
    pad_size_divisor: int
    test_scale: tuple[int, int] | None
    test_factor: float
    num_candidates: int
    test_cfg: dict
    num_grids: tuple[int, ...]
    strides: tuple[int, ...]
    half: bool
    raw: bool
    outputs: tuple[str, ...]
    config: str
    format_version: int = FORMAT_VERSION

    def to_strings(self) -> dict[str, str]:
        """Return all by name: text as it is, anything else as JSON."""
        return {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_strings(cls, strings: Mapping[str, str], *, source: str) -> 'Metadata':
        """Read what `to_strings` wrote.

        Args:
            strings: by name; others are passed over.
            source: what to call the file.

        Raises:
            UserError: something is missing, or is not what it should be.
        """
        missing = [field.name for field in fields(cls) if field.name not in strings]
        if missing:
            raise UserError(
                f'{source} is not a file of tools/deployment/export.py: its metadata lacks '
                f'{", ".join(missing[:3])}{" and more" if missing[3:] else ""}; '
                'export a checkpoint of this project'
            )
        try:
            values: dict[str, Any] = {
                field.name: strings[field.name]
                if field.type in (str, 'str')
                else _tuples(json.loads(strings[field.name]))
                for field in fields(cls)
            }
        except ValueError as error:
            raise UserError(f'{source}: its metadata cannot be read ({error})') from None
        if values['format_version'] != FORMAT_VERSION:
            raise UserError(
                f'{source} has format {values["format_version"]}, this version reads '
                f'{FORMAT_VERSION}: export the checkpoint again'
            )
        return cls(**values)

    def to_config(self, *, source: str) -> Config:
        """Return the config in the file, of which nothing has been run.

        Raises:
            UserError: it names code other than what is registered.
        """
        return embedded_config({'meta': {'cfg': self.config}}, source=source)


def _tuples(value: object) -> object:
    """Return JSON's lists as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def describe(
    model: SOLO,
    cfg: Config,
    dataset_meta: Mapping,
    *,
    size: tuple[int, int] | None,
    num_candidates: int,
    half: bool,
    raw: bool,
    outputs: Sequence[str],
) -> Metadata:
    """Return the metadata of a detector's export; see `Metadata` for the last arguments.

    Args:
        model: the detector.
        cfg: its config.
        dataset_meta: `classes`, and perhaps `palette`.
        size: of the input.
        num_candidates: whose masks are drawn.
        half: float16.
        raw: the heads alone.
        outputs: of the graph.
    """
    head, preprocessor = model.mask_head, model.data_preprocessor
    swaps = bool(getattr(preprocessor, '_channel_conversion', False))
    mean, std = (_channels(preprocessor, name, swaps=swaps) for name in ('mean', 'std'))
    pad = float(getattr(preprocessor, 'pad_value', 0.0))
    described = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    palette = dataset_meta.get('palette')
    return Metadata(
        producer=f'mmdet-solo {mmdet.__version__}, PyTorch {torch.__version__}',
        head=type(head).__name__,
        classes=tuple(dataset_meta['classes']),
        palette=tuple(map(tuple, palette)) if palette else None,
        # Images are read as BGR; only a preprocessor that is told the reverse takes another order.
        color_order='RGB' if described.get('rgb_to_bgr') else 'BGR',
        mean=mean,
        std=std,
        pad_color=tuple(m + pad * s for m, s in zip(mean, std, strict=True)),
        size=size,
        pad_size_divisor=int(getattr(preprocessor, 'pad_size_divisor', 1)),
        test_scale=scale_of_tests(cfg),
        test_factor=_factor_of_tests(cfg),
        num_candidates=num_candidates,
        test_cfg=asdict(head.decode_cfg),
        num_grids=tuple(head.num_grids),
        strides=tuple(head.strides),
        half=half,
        raw=raw,
        outputs=tuple(outputs),
        config=_config_text(model, cfg),
    )


def _channels(preprocessor: object, name: str, *, swaps: bool) -> tuple[float, ...]:
    value = getattr(preprocessor, name, None)
    neutral = 0.0 if name == 'mean' else 1.0
    channels = [neutral] * 3 if value is None else [round(x, 4) for x in value.flatten().tolist()]
    return tuple(channels[::-1] if swaps else channels)


def scale_of_tests(cfg: Config) -> tuple[int, int] | None:
    """Return the (longer, shorter) side that a config's test pipeline resizes images to."""
    for step in pipeline_of_tests(cfg):
        scale = step.get('scale')
        if str(step.get('type')).endswith('Resize') and isinstance(scale, list | tuple):
            return int(max(scale)), int(min(scale))
    return None


def _factor_of_tests(cfg: Config) -> float:
    for step in pipeline_of_tests(cfg):
        factor = step.get('scale_factor')
        if str(step.get('type')).endswith('Resize') and isinstance(factor, int | float):
            return float(factor)
    return 1.0


def _config_text(model: SOLO, cfg: Config) -> str:
    head = model.mask_head
    steps = Config(dict(steps=pipeline_of_tests(cfg))).to_dict()['steps']
    settings = dict(
        model=dict(
            mask_head=dict(type=type(head).__name__, num_classes=head.num_classes),
            test_cfg=asdict(head.decode_cfg),
        ),
        test_pipeline=to_plain(steps, name='test_pipeline'),
    )
    return ''.join(f'{name} = {pformat(value)}\n' for name, value in settings.items())
