"""mmengine's optimizer wrappers: no step to NaN, accumulation that resumes, AMP without a GPU."""

import torch
from mmengine.optim import AmpOptimWrapper as MMEngineAmpOptimWrapper
from mmengine.optim import OptimWrapper as MMEngineOptimWrapper
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from mmdet.errors import UserError
from mmdet.registry import OPTIM_WRAPPERS

from . import partial_gradients
from .sound_steps import SoundSteps


class _ResumableAccumulation(SoundSteps):
    """Saves what an accumulation has gathered, and goes on with it.

    A checkpoint may come in the middle of an accumulation: an epoch need not be a multiple of it,
    and a training that is asked to stop has no time to wait for its end.
    """

    # Of all processes, since the last `gather_gradients`.
    _gathered: partial_gradients.Gradients | None = None
    # Whether `load_state_dict` found those of an accumulation that was begun before.
    _went_on = False

    def gather_gradients(self) -> None:
        """Note for `state_dict` what each process has accumulated; all of them are to call it."""
        self._gathered = None
        if self._accumulative_counts > 1 and not self.should_update():
            self._gathered = partial_gradients.gather(self.optimizer)

    def state_dict(self) -> dict:
        """Return the optimizer's, with the gradients that `gather_gradients` noted."""
        state = super().state_dict()
        if self._gathered is not None:
            state[partial_gradients.KEY] = self._gathered
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Load what `state_dict` returned; a process takes its own gradients."""
        gradients = state_dict.get(partial_gradients.KEY)
        others = {key: state_dict[key] for key in state_dict if key != partial_gradients.KEY}
        super().load_state_dict(others)
        self._went_on = gradients is not None and partial_gradients.put_back(
            self.optimizer, gradients
        )
        self._gathered_any = True if self._went_on else None

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Begin to count steps; mmengine warns of lost gradients, if they are lost."""
        super().initialize_count_status(model, 0 if self._went_on else init_counts, max_counts)
        self._inner_count = init_counts


def mixed_precision_of(optim_wrapper: object, device: torch.device) -> torch.dtype | None:
    """Return what a wrapper has a device compute in beside float32; None for nothing else."""
    if not isinstance(optim_wrapper, MMEngineAmpOptimWrapper):
        return None
    return optim_wrapper.cast_dtype or torch.get_autocast_dtype(device.type)


def gather_gradients(optim_wrapper: object) -> None:
    """Before a checkpoint, in all processes: have it hold what they have accumulated."""
    if isinstance(optim_wrapper, _ResumableAccumulation):
        optim_wrapper.gather_gradients()


def _leave_overflows_to_scaler(optimizer: Optimizer) -> None:
    """Have GradScaler not call a fused SGD where gradients overflowed, as it does with others.

    In its first step, which overflows as a rule, torch's (seen with 2.14.1, on the CPU) makes the
    momentum's memory, fills it with nothing, and takes what was there for momentum in the second.
    """
    if isinstance(optimizer, SGD):
        optimizer._step_supports_amp_scaling = False


@OPTIM_WRAPPERS.register_module()
class OptimWrapper(_ResumableAccumulation):
    """mmengine's wrapper; leaves steps out that are not finite, see `mmdet.engine.sound_steps`.

    Its accumulation resumes from any checkpoint. See mmengine's class for the arguments.
    """


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(_ResumableAccumulation, MMEngineAmpOptimWrapper):
    """mmengine's wrapper, which asks for a GPU; without one, bfloat16 on the CPU.

    bfloat16 has float32's range: `dynamic` scales no loss then, and the host need not read at each
    step whether a scaled one overflowed.

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
            if dtype == 'bfloat16' and loss_scale == 'dynamic':
                self.loss_scaler = torch.amp.GradScaler('cuda', enabled=False)
            _leave_overflows_to_scaler(self.optimizer)
            return
        if dtype not in (None, 'bfloat16'):
            raise UserError(f'mixed precision in {dtype} needs a GPU; on the CPU it is bfloat16')
        MMEngineOptimWrapper.__init__(self, optimizer, accumulative_counts, clip_grad)
        self._scale_update_param = None
        self.cast_dtype = torch.bfloat16
        self.loss_scaler = torch.amp.GradScaler('cpu', enabled=False)

    def _gradients_to_check(self) -> list[Tensor]:
        return [] if self.loss_scaler.is_enabled() else super()._gradients_to_check()
