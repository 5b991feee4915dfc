"""The category loss."""

from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.ops import sigmoid_focal_loss
from mmdet.registry import MODELS


@MODELS.register_module()
class FocalLoss(nn.Module):
    """Sigmoid focal loss; see `mmdet.ops.sigmoid_focal_loss`.

    Args:
        use_sigmoid: must be True: the background is not a class of its own.
        gamma: how strongly easy examples are suppressed, not negative.
        alpha: weight of positives; negatives weigh 1 - alpha.
        loss_weight: factor of the result.
    """

    def __init__(
        self,
        use_sigmoid: bool = True,
        gamma: float = 2.0,
        alpha: float = 0.25,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not use_sigmoid:
            raise UserError('FocalLoss knows use_sigmoid=True only')
        self.gamma = gamma
        self.alpha = alpha
        self.loss_weight = loss_weight

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the weighted sum over (N, C) `logits` with (N,) `labels` in [0, C]."""
        loss = sigmoid_focal_loss(logits, labels, gamma=self.gamma, alpha=self.alpha)
        return self.loss_weight * loss.sum()
