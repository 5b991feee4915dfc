"""Mixed precision, with a GPU and without."""

import torch
from mmengine.optim import AmpOptimWrapper as MMEngineAmpOptimWrapper
from mmengine.optim import OptimWrapper
from torch.optim import Optimizer

from mmdet.errors import UserError
from mmdet.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(MMEngineAmpOptimWrapper):
    """mmengine's wrapper, which asks for a GPU; without one, bfloat16 on the CPU.

    bfloat16 has float32's range: there is no loss to scale on the CPU.

    Args:
        loss_scale: `dynamic`, a number, or a dict for torch's GradScaler.
        dtype: `float16`, `bfloat16` or None for the device's usual one.
        use_fsdp: scale the loss as `FullyShardedDataParallel` wants it.
        optimizer: what is wrapped.
        accumulative_counts: steps of the loop for one of the optimizer.
        clip_grad: arguments of `torch.nn.utils.clip_grad_norm_`, or with `type='value'` of
            `clip_grad_value_`.

    Raises:
        UserError: another dtype than bfloat16 on the CPU.
    """

    def __init__(
        self,
        loss_scale: str | float | dict = 'dynamic',
        dtype: str | None = None,
        use_fsdp: bool = False,
        *,
        optimizer: Optimizer,
        accumulative_counts: int = 1,
        clip_grad: dict | None = None,
    ) -> None:
        if torch.cuda.is_available():
            super().__init__(
                # mmengine says itself that it takes the others, in its docstring.
                loss_scale=loss_scale,  # pyrefly: ignore[bad-argument-type]
                dtype=dtype,  # pyrefly: ignore[bad-argument-type]
                use_fsdp=use_fsdp,
                optimizer=optimizer,
                accumulative_counts=accumulative_counts,
                clip_grad=clip_grad,
            )
            return
        if dtype not in (None, 'bfloat16'):
            raise UserError(f'mixed precision in {dtype} needs a GPU; on the CPU it is bfloat16')
        OptimWrapper.__init__(self, optimizer, accumulative_counts, clip_grad)
        self._scale_update_param = None
        self.cast_dtype = torch.bfloat16
        self.loss_scaler = torch.amp.GradScaler('cpu', enabled=False)
