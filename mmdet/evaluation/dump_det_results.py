"""Predictions in a file, for mmdetection's tools and for scripts."""

from collections.abc import Mapping, Sequence

import torch
from mmengine.evaluator import DumpResults

from mmdet.errors import UserError
from mmdet.registry import METRICS

_NOT_WRITTEN = ('gt_instances', 'ignored_instances')


@METRICS.register_module()
class DumpDetResults(DumpResults):
    """Write what is predicted into a pickle, as mmdetection's metric of this name does.

    It is a list of an image's dicts: what the sample says of itself, and `pred_instances` with
    tensors `scores`, `labels` and `bboxes`, those around the masks, and with `masks` as COCO's
    RLEs. To read it takes torch, and nothing of this project. Read such files only of people you
    trust.

    Args:
        out_file_path: ends in `.pkl` or `.pickle`; its folder is made.
        collect_device: `cpu` or `gpu`, over which processes send their results to the first.
        collect_dir: the folder that they send them through, on the CPU.

    Raises:
        UserError: the name ends otherwise.
    """

    def __init__(
        self, out_file_path: str, collect_device: str = 'cpu', collect_dir: str | None = None
    ) -> None:
        if not out_file_path.endswith(('.pkl', '.pickle')):
            raise UserError(f'DumpDetResults: {out_file_path} is no name of a .pkl file')
        super().__init__(out_file_path, collect_device, collect_dir)

    def process(self, data_batch: dict, predictions: Sequence[dict]) -> None:
        """Keep what is predicted."""
        super().process(data_batch, [_plain(sample) for sample in predictions])


def _plain(sample: Mapping) -> dict:
    """Return a sample as mmdetection writes it; the sample is other metrics', too."""
    found = dict(sample['pred_instances'])
    if 'masks' in found:
        # mmdetection's heads add boxes of zeros, and its tools ask for some.
        found.setdefault('bboxes', torch.from_numpy(found['masks'].get_bboxes()))
        found['masks'] = found['masks'].rles
    kept = {key: value for key, value in sample.items() if key not in _NOT_WRITTEN}
    return {**kept, 'pred_instances': found}
