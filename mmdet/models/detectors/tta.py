"""A detector that looks at several views of an image."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import cast

import torch
from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.models.memory_format import in_quickest_order
from mmdet.models.postprocess import DecodeConfig, decode
from mmdet.models.views import merged, unflipped
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample

from .solo import SOLO


@MODELS.register_module()
class DetTTAModel(BaseTTAModel):
    """Test-time augmentation: one result of several views of each image.

    Views are the image mirrored, or at several scales, as mmcv's `TestTimeAug` makes them. Their
    grids are merged before a mask is decoded, see `mmdet.models.views.merged`.

    Args:
        module: a detector of the SOLO family, or its config; it may be in a wrapper such as
            DistributedDataParallel.
        tta_cfg: fields of `DecodeConfig` that are to differ from the detector's `test_cfg`.
        data_preprocessor: the detector's, where `module` is a config that names none.

    Raises:
        UserError: `tta_cfg` has another field.
    """

    def __init__(
        self,
        module: dict | nn.Module,
        tta_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        # mmengine's class puts the preprocessor into the dict that it is given.
        module = dict(module) if isinstance(module, dict) else module
        super().__init__(module, data_preprocessor)
        settings = dict(tta_cfg or {})
        known = {field.name for field in fields(DecodeConfig)}
        if unknown := sorted(settings.keys() - known):
            raise UserError(
                f'tta_cfg has no setting {unknown[0]!r}: views are merged before Matrix NMS, and '
                f'what may be set for that is {", ".join(sorted(known))}'
            )
        self.decode_cfg = replace(self.detector.mask_head.decode_cfg, **settings)

    @property
    def detector(self) -> SOLO:
        """The detector itself, out of its wrapper."""
        inner = self.module.module if is_model_wrapper(self.module) else self.module
        return cast(SOLO, inner)

    def test_step(self, data: dict) -> list[DetDataSample]:
        """Return a sample with `pred_instances` for each image.

        Args:
            data: as `pseudo_collate` makes it of what `TestTimeAug` gives: `inputs` and
                `data_samples`, each a list over the views of lists over the images. The samples'
                `flip` and `flip_direction` say which views are mirrored.
        """
        views = [
            self._look(dict(inputs=inputs, data_samples=samples))
            for inputs, samples in zip(data['inputs'], data['data_samples'], strict=True)
        ]
        return self.merge_preds(list(zip(*views, strict=True)))

    def _look(self, data: dict) -> list[DetDataSample]:
        """Return the samples of one view of each image, with a `View` as `view`, not mirrored."""
        detector = self.detector
        data = detector.data_preprocessor(data, False)
        samples = data['data_samples']
        directions = [_direction(sample) for sample in samples]
        inputs = [
            _padded_as_mirrored(image, sample.img_shape[:2], direction)
            for image, sample, direction in zip(data['inputs'], samples, directions, strict=True)
        ]
        feats = detector.extract_feat(in_quickest_order(torch.stack(inputs)))
        views = detector.mask_head.views(feats, samples)
        for sample, view, direction in zip(samples, views, directions, strict=True):
            sample.view = unflipped(view, direction)
        return samples

    def merge_preds(
        self, data_samples_list: Sequence[Sequence[DetDataSample]]
    ) -> list[DetDataSample]:
        """Return a sample with `pred_instances` for each image, given one for each of its views."""
        return [self._merge(samples) for samples in data_samples_list]

    def _merge(self, samples: Sequence[DetDataSample]) -> DetDataSample:
        # Annotations, if there are any, are mirrored with their view.
        plain = next((each for each in samples if not _direction(each)), samples[0])
        view = merged([sample.view for sample in samples])
        result = plain.new()
        del result.view
        result.pred_instances = decode(
            view.scores,
            view.draw,
            strides=view.strides,
            mask_size=view.mask_size,
            img_shape=view.img_shape,
            ori_shape=plain.ori_shape[:2],
            cfg=self.decode_cfg,
        )
        return result


def _direction(sample: DetDataSample) -> str:
    return sample.flip_direction if sample.get('flip') else ''


def _padded_as_mirrored(image: Tensor, img_shape: tuple[int, int], direction: str) -> Tensor:
    """Move a (3, H, W) input's padding, on the right and below, to the sides that mirroring wants.

    Then the whole input is a mirror image, of a cell, too.
    """
    down = image.shape[1] - img_shape[0] if direction in ('vertical', 'diagonal') else 0
    right = image.shape[2] - img_shape[1] if direction in ('horizontal', 'diagonal') else 0
    return image.roll((down, right), (1, 2))
