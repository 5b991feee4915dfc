"""From what the data loader collates to what the model takes, on the device."""

from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from mmengine.model import ImgDataPreprocessor, stack_batch
from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.models.memory_format import in_quickest_order
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample


@MODELS.register_module()
class DetDataPreprocessor(ImgDataPreprocessor):
    """Normalise, pad and stack images; tell each sample the padded size.

    Args:
        mean: of each channel, in the order after conversion.
        std: likewise.
        pad_size_divisor: the padded height and width are multiples of it.
        pad_value: of the padding, after normalisation.
        pad_mask: in training, the samples' masks get the padded size too, for the batch augments
            and heads that expect so. Nothing is copied, and SOLO's losses are the same either
            way: its heads extend to the batch's size what masks they are given.
        bgr_to_rgb: swap the channels of images that were read as BGR.
        rgb_to_bgr: the reverse.
        non_blocking: let copies to the device overlap with what the host does next; the data
            loader's `pin_memory=True` makes them overlap with what the device does, too.
        batch_augments: configs of modules that, in training, take the inputs and data samples of
            a whole batch and return them changed.
    """

    def __init__(
        self,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        pad_size_divisor: int = 1,
        pad_value: float = 0,
        pad_mask: bool = False,
        bgr_to_rgb: bool = False,
        rgb_to_bgr: bool = False,
        non_blocking: bool = True,
        batch_augments: Sequence[dict] | None = None,
    ) -> None:
        super().__init__(
            mean=mean,
            std=std,
            pad_size_divisor=pad_size_divisor,
            pad_value=pad_value,
            bgr_to_rgb=bgr_to_rgb,
            rgb_to_bgr=rgb_to_bgr,
            non_blocking=non_blocking,
        )
        self.pad_mask = pad_mask
        self.batch_augments = nn.ModuleList(map(MODELS.build, batch_augments or ()))

    def padded_size(self, sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
        """Return the (height, width) of a batch in training, from those of its images."""
        divisor = self.pad_size_divisor
        sides = [-(-max(sides) // divisor) * divisor for sides in zip(*sizes, strict=True)]
        fixed = [augment.size for augment in self.batch_augments if hasattr(augment, 'size')]
        height, width = (max(sides) for sides in zip(sides, *fixed, strict=True))
        return height, width

    def forward(self, data: dict, training: bool = False) -> dict:
        """Return `inputs` (B, 3, H, W) float32 and new `data_samples` on the model's device.

        In memory the images lie as `memory_format` says.
        """
        moved = self.cast_data(data)
        assert isinstance(moved, dict)  # as was given
        images = [self._normalised(image) for image in moved['inputs']]
        inputs = stack_batch(images, self.pad_size_divisor, self.pad_value)
        height, width = inputs.shape[-2:]
        # In testing the masks are annotations at the original size, to be drawn.
        samples = _told_batch_size(
            moved.get('data_samples'), (height, width), pad_mask=training and self.pad_mask
        )
        if training:
            for augment in self.batch_augments:
                inputs, samples = augment(inputs, samples)
        return dict(inputs=in_quickest_order(inputs), data_samples=samples)

    def picture(self, image: Tensor) -> np.ndarray:
        """Return a (3, H, W) image as it is given to the model as (H, W, 3) uint8 RGB.

        Images are taken to be read as BGR, as those of `LoadImageFromFile` are.
        """
        if self._enable_normalize:
            image = image * self.std + self.mean
        if not self._channel_conversion:
            image = image.flip(0)
        return image.round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().cpu().numpy()

    def _normalised(self, image: Tensor) -> Tensor:
        # The base class swaps channels by indices, for which a GPU waits.
        image = image.flip(0) if self._channel_conversion else image
        if not self._enable_normalize:
            return image.float()
        if len(image) != len(self.mean) > 1:
            raise UserError(
                f'model.data_preprocessor has means of {len(self.mean)} channels, but an image '
                f'has {len(image)}'
            )
        return (image - self.mean).div_(self.std)


@MODELS.register_module()
class BatchFixedSizePad(nn.Module):
    """Pad the images of a batch to one size for all batches, at the bottom and the right.

    Args:
        size: (height, width); a side that is longer already stays so.
        img_pad_value: of the padding, after normalisation.
        pad_mask: the samples' masks get the new size too; as in `DetDataPreprocessor`.
    """

    def __init__(
        self, size: tuple[int, int], img_pad_value: float = 0, pad_mask: bool = False
    ) -> None:
        super().__init__()
        self.size = size
        self.img_pad_value = img_pad_value
        self.pad_mask = pad_mask

    def forward(
        self, inputs: Tensor, data_samples: list[DetDataSample] | None = None
    ) -> tuple[Tensor, list[DetDataSample] | None]:
        """Return (B, 3, H, W) images padded to `size`, and new samples that know the new size."""
        height, width = inputs.shape[-2:]
        missing = max(self.size[0] - height, 0), max(self.size[1] - width, 0)
        inputs = F.pad(inputs, (0, missing[1], 0, missing[0]), value=self.img_pad_value)
        height, width = inputs.shape[-2:]
        samples = _told_batch_size(data_samples, (height, width), pad_mask=self.pad_mask)
        return inputs, samples


def _told_batch_size(
    samples: Sequence[DetDataSample] | None, size: tuple[int, int], *, pad_mask: bool
) -> list[DetDataSample] | None:
    """Return new samples that know the batch's (height, width); with `pad_mask` masks have it."""
    if samples is None:
        return None
    told = [sample.new() for sample in samples]
    for sample in told:
        sample.set_metainfo(dict(batch_input_shape=size))
        instances = sample.get('gt_instances')
        if pad_mask and instances is not None and 'masks' in instances:
            sample.gt_instances = instances.new()
            sample.gt_instances.masks = instances.masks.pad(size)
    return told
