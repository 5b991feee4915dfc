"""Saving checkpoints that any torch can load safely."""

from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import Runner

from mmdet.engine.checkpoint import to_plain
from mmdet.engine.checkpoint.embedded_config import KEY
from mmdet.registry import HOOKS


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """mmengine's hook; what it saves, `torch.load(weights_only=True)` loads.

    See mmengine's class for the arguments.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Turn what is neither a tensor nor a plain value into plain values, the config too."""
        checkpoint['meta'][KEY] = runner.cfg.to_dict()
        for key in checkpoint.keys() - {'state_dict', 'ema_state_dict'}:
            checkpoint[key] = to_plain(checkpoint[key], name=key)
