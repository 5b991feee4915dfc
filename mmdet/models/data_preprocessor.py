"""From what the data loader collates to what the model takes, on the device."""

from mmengine.model import ImgDataPreprocessor

from mmdet.registry import MODELS


@MODELS.register_module()
class DetDataPreprocessor(ImgDataPreprocessor):
    """Normalise, pad and stack images; tell each sample the padded size.

    Args:
        mean: of each channel, in the order after conversion.
        std: likewise.
        pad_size_divisor: the padded height and width are multiples of it.
        pad_value: of the padding, after normalisation.
        pad_mask: in training, extend the ground-truth masks by the padding too.
        bgr_to_rgb: swap the channels of images that were read as BGR.
        rgb_to_bgr: the reverse.
        non_blocking: let copies to the device overlap with computation.
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
        non_blocking: bool = False,
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

    def forward(self, data: dict, training: bool = False) -> dict:
        """Return `inputs` (B, 3, H, W) float32 and `data_samples` on the model's device."""
        data = super().forward(data, training)
        size = tuple(data['inputs'].shape[-2:])
        for sample in data['data_samples'] or ():
            sample.set_metainfo(dict(batch_input_shape=size))
            instances = sample.get('gt_instances')
            # In testing they are annotations at the original size, to be drawn.
            if training and self.pad_mask and instances is not None and 'masks' in instances:
                instances.masks = instances.masks.pad(size)
        return data
