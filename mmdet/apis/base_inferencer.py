"""mmengine's inferencer, taught to build a detector and to run it: from pictures to samples."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from mmcv.transforms import Compose
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.infer import BaseInferencer
from mmengine.visualization import Visualizer

from mmdet.datasets.image_file import IMAGE_SUFFIXES
from mmdet.errors import UserError
from mmdet.structures import DetDataSample
from mmdet.utils import ConfigType
from mmdet.visualization.palette import ColorChoice

from .detector import Detector, init_detector, load_detector
from .inference import detect, inference_pipeline, prepared, transform_name

Item = str | np.ndarray | dict
"""A path or an address, a (h, w, 3) uint8 BGR array, or what a pipeline takes."""

Input = Item | Path


class BaseDetInferencer(BaseInferencer):
    """What mmengine asks of an inferencer before it has a result.

    The methods have mmdetection's names, as subclasses replace them.

    Attributes:
        palette: the classes' colours, see `named_palette`; to be set before the model is built.
    """

    palette: ColorChoice

    def _init_model(self, cfg: ConfigType, weights: str | None, device: str = 'cpu') -> Detector:
        if weights is None:
            return init_detector(_as_config(cfg), palette=self.palette, device=device)
        # mmengine passes an empty config for weights alone, to be filled.
        config = _as_config(cfg) if cfg else None
        model = load_detector(weights, config, palette=self.palette, device=device)
        if not cfg:
            cfg.update(model.cfg.to_dict())
        return model

    def _init_pipeline(self, cfg: ConfigType) -> Compose:
        return inference_pipeline(cfg)

    def _init_collate(self, cfg: ConfigType) -> Callable:
        # Others make one tensor of pictures, which may differ in size.
        return pseudo_collate

    def _init_visualizer(self, cfg: ConfigType) -> Visualizer:
        settings = dict(cfg.get('visualizer') or dict(type='DetLocalVisualizer'))
        # Pictures are returned, shown, or written to `out_dir`: backends get none.
        settings.pop('vis_backends', None)
        visualizer = super()._init_visualizer(ConfigDict(visualizer=settings))
        assert visualizer is not None
        visualizer.dataset_meta = self.model.dataset_meta
        return visualizer

    @staticmethod
    def _get_transform_idx(pipeline_cfg: Sequence[dict], name: str) -> int:
        """Return where a pipeline has a transform, -1 for nowhere; subclasses ask for it."""
        names = [transform_name(step) for step in pipeline_cfg]
        return names.index(name) if name in names else -1

    def _inputs_to_list(self, inputs: Input | Sequence[Input]) -> list[Item]:
        if isinstance(inputs, list | tuple):
            return [str(each) if isinstance(each, Path) else each for each in inputs]
        if isinstance(inputs, np.ndarray | dict):
            return [inputs]
        found = super()._inputs_to_list(str(inputs))
        if found == [str(inputs)]:
            return found
        images: list[Item] = sorted(path for path in found if path.lower().endswith(IMAGE_SUFFIXES))
        if not images:
            known = ', '.join(IMAGE_SUFFIXES)
            raise UserError(f'folder {inputs} has no images: one ends in {known}')
        return images

    def preprocess(
        self, inputs: Iterable[Item], batch_size: int = 1
    ) -> Iterator[tuple[list[str | np.ndarray], dict]]:
        """Yield batches: paths or arrays, and what the pipeline makes of them."""
        remaining = iter(inputs)
        while batch := list(islice(remaining, batch_size)):
            data = self.collate_fn([prepared(item, self.pipeline) for item in batch])
            yield [_original(item) for item in batch], data

    def forward(self, inputs: dict) -> list[DetDataSample]:
        """Return the samples of `detect` for a batch."""
        return detect(self.model, inputs)


def _as_config(cfg: ConfigType) -> Config:
    return cfg if isinstance(cfg, Config) else Config(cfg.to_dict())


def _original(item: Item) -> str | np.ndarray:
    if isinstance(item, dict):
        return item['img'] if 'img' in item else item['img_path']
    return item
