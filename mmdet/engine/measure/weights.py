"""Weights to measure with: how long a step takes hardly depends on them, but a test's does."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.models.detectors import SOLO
from mmdet.models.heads import BaseSOLOHead
from mmdet.models.postprocess import point_nms

# As they name weights that are fetched or read, and what says that there are none.
_TIMM = dict(pretrained=False, checkpoint_path='')


def without_pretrained(node: object) -> object:
    """Return a copy of a model's settings, of which no part begins with weights of others."""
    if isinstance(node, dict):
        if node.get('type') == 'Pretrained':
            return None
        return {key: _TIMM.get(key, without_pretrained(node[key])) for key in node}
    if isinstance(node, list | tuple):
        copies = (without_pretrained(each) for each in node)
        return type(node)(each for each in copies if each is not None)
    return node


@torch.no_grad()
def draw_some_masks(head: BaseSOLOHead) -> None:
    """Give the layers that predict masks weights by which a mask covers part of an image.

    In a head that begins its training no pixel belongs to any.
    """
    for name in head.predicting_convs:
        for conv in _convs(getattr(head, name)) if name != 'conv_cls' else ():
            nn.init.normal_(conv.weight, std=0.05)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)


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


def _convs(module: nn.Module) -> Iterator[nn.Conv2d]:
    return (each for each in module.modules() if isinstance(each, nn.Conv2d))
