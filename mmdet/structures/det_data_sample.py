"""One image's annotations and predictions."""

from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor


class DetDataSample(BaseDataElement):
    """One image's annotations and predictions, with the field names of mmdetection 3.x.

    Fields:
        gt_instances: `bboxes` (N, 4) xyxy in pixels of the network's input, `labels` (N,),
            `masks` (`PackedMasks` of N).
        pred_instances: `scores` (M,) from high to low, `labels` (M,), `masks` (`RLEMasks` of M at
            the original size).

    Metainfo: `img_id`, `img_path`, `ori_shape` (h, w) as in the file, `img_shape` (h, w) after the
    transforms, `batch_input_shape` (h, w) after padding, `scale_factor` (w, h).
    """

    @property
    def gt_instances(self) -> InstanceData:
        return self._gt_instances

    @gt_instances.setter
    def gt_instances(self, value: InstanceData) -> None:
        self.set_field(value, '_gt_instances', dtype=InstanceData)

    @property
    def pred_instances(self) -> InstanceData:
        return self._pred_instances

    @pred_instances.setter
    def pred_instances(self, value: InstanceData) -> None:
        self.set_field(value, '_pred_instances', dtype=InstanceData)

    def pin_memory(self) -> 'DetDataSample':
        """Return the sample in pinned memory; a data loader with `pin_memory=True` calls it."""
        return _pin(self)


def _pin(element: BaseDataElement) -> BaseDataElement:
    """Return an element whose tensors, and those of the elements that it holds, are pinned."""
    pinned = element.new()
    for name, value in element.items():
        if isinstance(value, BaseDataElement):
            pinned.set_data({name: _pin(value)})
        elif isinstance(value, Tensor):
            pinned.set_data({name: value.pin_memory()})
    return pinned
