"""Mixed precision, with a GPU and without."""

import torch
from mmengine.optim import AmpOptimWrapper as MMEngineAmpOptimWrapper
from mmengine.optim import OptimWrapper

from mmdet.errors import UserError
from mmdet.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(MMEngineAmpOptimWrapper):
    """mmengine's wrapper, which asks for a GPU; without one, bfloat16 on the CPU.

    bfloat16 has float32's range: there is no loss to scale on the CPU.

    Args:
        loss_scale: `dynamic`, a number, or a dict for torch's GradScaler.
        dtype: `float16`, `bfloat16` or None for the device's usual one.
        **kwargs: of `OptimWrapper`.

    Raises:
        UserError: another dtype than bfloat16 on the CPU.
    """

    def __init__(
        self,
        loss_scale: str | float | dict = 'dynamic',
        dtype: str | None = None,
        **kwargs: object,
    ) -> None:
        if torch.cuda.is_available():
            super().__init__(loss_scale=loss_scale, dtype=dtype, **kwargs)
            return
        if dtype not in (None, 'bfloat16'):
            raise UserError(f'mixed precision in {dtype} needs a GPU; on the CPU it is bfloat16')
        OptimWrapper.__init__(self, **kwargs)
        self._scale_update_param = None
        self.cast_dtype = torch.bfloat16
        self.loss_scaler = torch.amp.GradScaler('cpu', enabled=False)
