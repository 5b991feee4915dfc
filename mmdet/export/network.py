"""A detector as one graph of standard operators: an image in, scores, labels and masks out.

The same result as `mmdet.models.postprocess.decode`, in fixed shapes: what there is a varying
number of, is there as often as there may be, and does not count.

Shape letters: H and W the padded input, (h, w) a quarter of it, C classes, G cells of all levels,
S cells along a grid's side, N candidates, K instances.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmdet.models.detectors import SOLO
from mmdet.models.heads import BaseSOLOHead
from mmdet.models.heads.outputs import HeadOutputs
from mmdet.models.postprocess import DecodeConfig, point_nms
from mmdet.ops.matrix_nms import matrix_nms_reference

from .drawing import draw_candidates

OUTPUTS = ('scores', 'labels', 'masks', 'num_above')


class ExportableHeads(nn.Module):
    """Backbone, neck and head on an image as it is read.

    Args:
        model: a detector in evaluation mode.
        half: compute in float16, but for the normalisation before and what follows the heads.
    """

    def __init__(self, model: SOLO, *, half: bool = False) -> None:
        super().__init__()
        self.half_precision = half
        self.model = model.half() if half else model.float()
        self.register_buffer('mean', _statistic(model, 'mean'))
        self.register_buffer('std', _statistic(model, 'std'))
        self.register_buffer('reverse', torch.tensor([2, 1, 0]))
        self.swaps_channels = bool(getattr(model.data_preprocessor, '_channel_conversion', False))

    @property
    def head(self) -> BaseSOLOHead:
        """The detector's head."""
        head = self.model.mask_head
        assert isinstance(head, BaseSOLOHead)
        return head

    def run_heads(self, image: Tensor) -> HeadOutputs:
        """Run the network on a (1, 3, H, W) float32 image with values from 0 to 255."""
        if self.swaps_channels:
            image = image.index_select(1, self.get_buffer('reverse'))
        image = (image - self.get_buffer('mean')) / self.get_buffer('std')
        feats = self.model.extract_feat(image.half() if self.half_precision else image)
        return self.head(feats)


def _statistic(model: SOLO, name: str) -> Tensor:
    value = getattr(model.data_preprocessor, name, None)
    neutral = torch.full((3, 1, 1), float(name == 'std'))
    return neutral if value is None else value.detach().clone().float()


class ExportableDetector(ExportableHeads):
    """The whole detector.

    Args:
        model: a detector in evaluation mode.
        num_candidates: N, pairs of a cell and a class whose masks are drawn, by the best category
            scores. The result is that of `decode` wherever no more are above `score_thr`.
        half: see `ExportableHeads`.
    """

    def __init__(self, model: SOLO, *, num_candidates: int, half: bool = False) -> None:
        super().__init__(model, half=half)
        head = self.head
        self.num_candidates = num_candidates
        cells = [grid**2 for grid in head.num_grids]
        strides = torch.tensor(head.strides, dtype=torch.float32)
        self.register_buffer('min_areas', strides.repeat_interleave(torch.tensor(cells)))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Find the instances in an image.

        Args:
            image: (1, 3, H, W) float32, values from 0 to 255, channels as the file was read; H and
                W are multiples of 32.

        Returns:
            `scores` (K,) float32, best first, and 0 after the last instance; `labels` (K,) int64,
            -1 there; `masks` (K, h, w) float32, the probability of each pixel, 0 there;
            `num_above` () int64, how many pairs of a cell and a class were above `score_thr`.
        """
        outputs = self.run_heads(image)
        cfg = self.head.decode_cfg
        by_pair = _category_scores(outputs.cls_preds)
        num_above = (by_pair > cfg.score_thr).sum()
        pairs = by_pair.topk(self.num_candidates).indices
        # In the order of cells, in which decoding meets them: ties are broken by it.
        pairs = pairs.index_select(0, best_first(-pairs))
        cells, labels = pairs // self.head.num_classes, pairs % self.head.num_classes
        probabilities = draw_candidates(self.head, outputs, cells).float()
        scores, labels, masks = select_instances(
            by_pair.index_select(0, pairs),
            labels,
            probabilities,
            min_areas=self.get_buffer('min_areas').index_select(0, cells),
            cfg=cfg,
        )
        return scores, labels, masks, num_above


def _category_scores(cls_preds: Sequence[Tensor]) -> Tensor:
    """Return (G * C,) scores, cell after cell, of (1, C, S, S) logits; 0 after point NMS."""
    kept = [point_nms(logits[0].sigmoid().float()).flatten(1) for logits in cls_preds]
    return torch.cat(kept, dim=1).T.flatten()


def select_instances(
    scores: Tensor, labels: Tensor, probabilities: Tensor, *, min_areas: Tensor, cfg: DecodeConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the `scores`, `labels` and `masks` of the K best instances, as `decode` does.

    Args:
        scores: (N,) category scores.
        labels: (N,) class indices.
        probabilities: (N, h, w) in [0, 1].
        min_areas: (N,) pixels that a mask must have more of.
        cfg: thresholds and limits.
    """
    masks = (probabilities > cfg.mask_thr).float()
    areas = masks.sum((1, 2))
    sureness = (probabilities * masks).sum((1, 2)) / areas.clamp(min=1)
    usable = (scores > cfg.score_thr) & (areas > min_areas)
    # A score of a usable candidate is above 0: the others come last.
    scores = torch.where(usable, scores * sureness, 0)
    order = best_first(scores)
    order = order[: cfg.nms_pre] if 0 < cfg.nms_pre < len(order) else order
    usable, labels = usable.index_select(0, order), labels.index_select(0, order)
    # Those that are not usable suppress none, since no score is below theirs.
    flat = masks.flatten(1).index_select(0, order)
    decayed = matrix_nms_reference(
        flat[:, None], labels, scores.index_select(0, order), kernel=cfg.kernel, sigma=cfg.sigma
    )
    kept = usable & (decayed >= cfg.filter_thr)
    decayed = torch.where(kept, decayed, -1)
    best = best_first(decayed)
    best = best[: cfg.max_per_img] if 0 < cfg.max_per_img < len(best) else best
    kept = kept.index_select(0, best)
    chosen = order.index_select(0, best)
    return (
        torch.where(kept, decayed.index_select(0, best), 0),
        torch.where(kept, labels.index_select(0, best), -1),
        probabilities.index_select(0, chosen) * kept[:, None, None],
    )


def best_first(scores: Tensor) -> Tensor:
    """Return the (N,) order of (N,) scores from high to low; of equal ones the earlier is first.

    Runtimes differ in what their sorting does with ties; counting who is better does not. N^2
    comparisons are nothing beside N masks.

    Examples:
        >>> best_first(torch.tensor([0.5, 0.9, 0.5])).tolist()
        [1, 0, 2]
    """
    mine, other = scores[:, None], scores[None]
    place = torch.arange(len(scores), device=scores.device)
    is_before = (other > mine) | ((other == mine) & (place[None] < place[:, None]))
    # TensorRT's documentation promises to sort and to add up floating point alone.
    return is_before.float().sum(1).argsort()
