"""Weights to measure with: how long a step takes hardly depends on them, but a test's does."""

import math

import torch
from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.models.detectors import SOLO
from mmdet.models.heads import BaseSOLOHead
from mmdet.models.postprocess import point_nms

# As they name weights that are fetched or read, and what says that there are none.
_TIMM = dict(pretrained=False, checkpoint_path='')


def without_pretrained(model: dict) -> dict:
    """Return a copy of a model's config, of which no part begins with weights of others."""
    return {key: _TIMM.get(key, _without(model[key])) for key in model}


def _without(node: object) -> object:
    if isinstance(node, dict):
        return None if node.get('type') == 'Pretrained' else without_pretrained(node)
    if isinstance(node, list | tuple):
        kept = (each for each in map(_without, node) if each is not None)
        return type(node)(kept)
    return node


@torch.no_grad()
def let_masks_cover(head: BaseSOLOHead) -> None:
    """Shift the masks' bias so that random weights draw masks which cover part of an image.

    In a head that begins its training no pixel belongs to any. With this bias, every factor of a
    mask's probability is as often above as below what makes it `mask_thr`.
    """
    factor = head.decode_cfg.mask_thr ** (1 / head.num_factors)
    bias = torch.logit(torch.tensor(factor), eps=1e-6).item()  # mask_thr may be 0 or 1
    for name in head.predicting_convs:
        for conv in getattr(head, name) if name != 'conv_cls' else ():
            nn.init.constant_(conv.bias, bias)


@torch.no_grad()
def set_candidates(detector: SOLO, inputs: Tensor, candidates: int) -> None:
    """Shift the categories' bias so that so many candidates are found in an image.

    In others of its kind there will be about as many. A candidate is a cell with a category of
    which the score passes `score_thr`.

    Args:
        detector: in test mode.
        inputs: preprocessed images, of which the first counts.
        candidates: as many.

    Raises:
        UserError: there are not so many cells and categories, or no score is too low.
    """
    head = detector.mask_head
    threshold = head.decode_cfg.score_thr
    if not 0 < threshold < 1:
        raise UserError(f'score_thr={threshold} in model.test_cfg: no number of candidates is set')
    logits = head(detector.extract_feat(inputs[:1])).cls_preds
    # Of the others none will pass.
    highest = torch.cat([each[0][point_nms(each[0].sigmoid()) > 0] for each in logits])
    if not 0 < candidates < len(highest):
        raise UserError(f'there can be 1 to {len(highest) - 1} candidates, not {candidates}')
    last, next_one = highest.sort(descending=True).values[candidates - 1 : candidates + 1].tolist()
    head.conv_cls.bias += math.log(threshold / (1 - threshold)) - (last + next_one) / 2
