"""The mask loss."""

from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.ops import dice_loss
from mmdet.registry import MODELS


@MODELS.register_module()
class DiceLoss(nn.Module):
    """Dice loss of mask predictions; see `mmdet.ops.dice_loss`.

    Args:
        use_sigmoid: must be True: masks are independent of each other.
        activate: the predictions are logits; False where they are probabilities already.
        eps: what is added to either sum of squares, above 0.
        loss_weight: factor of the result.
    """

    def __init__(
        self,
        use_sigmoid: bool = True,
        activate: bool = True,
        eps: float = 1e-3,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not use_sigmoid:
            raise UserError('DiceLoss knows use_sigmoid=True only')
        self.activate = activate
        self.eps = eps
        self.loss_weight = loss_weight

    def forward(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the weighted sum over the masks of (N, H, W) `predictions`."""
        loss = dice_loss(predictions, targets, activate=self.activate, eps=self.eps)
        return self.loss_weight * loss.sum()
