"""An exported file in the place of a trained model, for whatever takes one."""

import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet.errors import UserError
from mmdet.ops import masks_to_rle
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.visualization.palette import ColorChoice, named_palette

from .metadata import MIN_DYNAMIC_SIDE, Metadata
from .network import OUTPUTS
from .runtimes import load_runtime


@MODELS.register_module()
class ExportedDetector(BaseModel):
    """A file of tools/deployment/export.py as a detector: `test_step` runs it by its runtime.

    An image is filled up at the bottom and the right to a size that the file takes. One that is
    larger than the input of a file of a fixed size is scaled down until it fits, which is said
    once; its masks have the original image's size all the same.

    Args:
        path: an ONNX (`.onnx`), torch.export (`.pt2`) or OpenVINO (`.xml`) file.
        palette: the classes' colours, see `named_palette`; `none` takes those in the file.
        device: where an ONNX file runs, if its runtime can; the others run on the CPU.

    Attributes:
        cfg: a config with the test pipeline that the file carries.
        dataset_meta: `classes`, and `palette` if there is one.
        metadata: what the file says of itself.

    Raises:
        UserError: the file cannot be loaded, is of another model, or was exported with `--raw`.
    """

    def __init__(
        self, path: str | Path, palette: ColorChoice = 'none', device: str | torch.device = 'cpu'
    ) -> None:
        super().__init__()
        self.path = str(path)
        runtime = load_runtime(path, device=torch.device(device))
        self.run = runtime.run
        self.metadata = Metadata.from_strings(runtime.strings, source=self.path)
        if self.metadata.raw:
            raise UserError(
                f'{path} holds the heads alone, which find no instances: export without --raw'
            )
        self.cfg = self.metadata.to_config(source=self.path)
        number, named = self.cfg.model.mask_head.num_classes, len(self.metadata.classes)
        if number != named:
            raise UserError(
                f'{path}: the model has {number} classes, but {named} are named: its metadata was '
                'changed; export the checkpoint again'
            )
        self.dataset_meta: dict = dict(classes=self.metadata.classes)
        if palette != 'none':
            self.dataset_meta['palette'] = named_palette(palette, len(self.metadata.classes))
        elif self.metadata.palette:
            self.dataset_meta['palette'] = list(self.metadata.palette)
        self._said: set[str] = set()

    # pyrefly: ignore[bad-override]  # mmengine's docstring allows more for `inputs` than its hints
    def forward(
        self,
        inputs: Sequence[Tensor],
        data_samples: Sequence[DetDataSample],
        mode: str = 'predict',
    ) -> list[DetDataSample]:
        """Return new samples with `pred_instances`.

        Args:
            inputs: (3, height, width) images as the test pipeline leaves them.
            data_samples: of the images.
            mode: must be `predict`: a file cannot be trained.
        """
        if mode != 'predict':
            raise UserError(f'{self.path} is an exported file: it predicts, and cannot be trained')
        return [
            self._predict(image, sample) for image, sample in zip(inputs, data_samples, strict=True)
        ]

    def _predict(self, image: Tensor, sample: DetDataSample) -> DetDataSample:
        fitted = self._fit(image)
        height, width = fitted.shape[-2:]
        padded = self._pad(fitted)
        scores, labels, masks, num_above = (self.run(padded)[name] for name in OUTPUTS)
        if num_above > self.metadata.num_candidates:
            self._say_once(
                f'{self.path} draws {self.metadata.num_candidates} candidates, but in some images '
                f'more score above score_thr, the first has {int(num_above)}: export it with more '
                '--candidates'
            )
        found = labels >= 0
        result = sample.new()
        result.set_metainfo(
            dict(img_shape=(height, width), batch_input_shape=tuple(padded.shape[-2:]))
        )
        result.pred_instances = InstanceData(
            scores=scores[found],
            labels=labels[found],
            masks=masks_to_rle(
                masks[found],
                img_shape=(height, width),
                ori_shape=sample.ori_shape[:2],
                threshold=self.metadata.test_cfg['mask_thr'],
            ),
        )
        return result

    def _fit(self, image: Tensor) -> Tensor:
        """Scale a (3, height, width) image down to the file's size, if it is larger."""
        size = self.metadata.size
        height, width = image.shape[-2:]
        if size is None or (height <= size[0] and width <= size[1]):
            return image
        self._say_once(
            f'{self.path} takes images up to {size[0]} x {size[1]}; larger ones, the first has '
            f'{height} x {width}, are scaled down: a file exported with --dynamic takes them as '
            'they are'
        )
        factor = min(size[0] / height, size[1] / width)
        new = max(1, round(width * factor)), max(1, round(height * factor))
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())
        resized = cv2.resize(pixels, new, interpolation=cv2.INTER_LINEAR)
        return torch.from_numpy(resized).permute(2, 0, 1)

    def _pad(self, image: Tensor) -> Tensor:
        """Return an image as (1, 3, H, W) float32 of a size that the file takes."""
        height, width = image.shape[-2:]
        divisor = self.metadata.pad_size_divisor
        size = self.metadata.size or [
            max(MIN_DYNAMIC_SIDE, -(-side // divisor) * divisor) for side in (height, width)
        ]
        padded = torch.tensor(self.metadata.pad_color)[:, None, None].repeat(1, *size)
        padded[:, :height, :width] = image
        return padded[None]

    def _say_once(self, message: str) -> None:
        if message[:40] not in self._said:
            self._said.add(message[:40])
            print_log(message, logger='current', level=logging.WARNING)
