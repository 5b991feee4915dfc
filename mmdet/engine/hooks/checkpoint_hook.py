"""Saving checkpoints that any torch can load safely, and never fewer of them than before."""

from collections import deque
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process, master_only
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmdet.engine.checkpoint import to_plain
from mmdet.engine.checkpoint.aside import clear_aside, is_local, written_aside
from mmdet.engine.checkpoint.embedded_config import KEY
from mmdet.engine.checkpoint.finite import not_finite
from mmdet.engine.optim_wrapper import gather_gradients
from mmdet.engine.saver import saves
from mmdet.engine.wrapper import unwrapped
from mmdet.errors import UserError
from mmdet.registry import HOOKS


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """mmengine's hook; what it saves is finite, and `torch.load(weights_only=True)` loads it.

    A checkpoint that is one too many is deleted after the next is safe, not before: the disk needs
    room for one more than are kept. That a file is whole when it has its name is the runner's care.

    See mmengine's class for the arguments.
    """

    def before_train(self, runner: Runner) -> None:
        """Find the folder, and delete what a killed process was writing there."""
        super().before_train(runner)
        if is_main_process():
            clear_aside(Path(runner.work_dir))
            if self._is_local():
                clear_aside(Path(self.out_dir))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Turn what is neither a tensor nor a plain value into plain values, the config too.

        Raises:
            UserError: something is not finite; a checkpoint of it would take a sound one's place.
        """
        if found := not_finite(checkpoint, unwrapped(runner.model)):
            more = f' and {len(found) - 1} more' if found[1:] else ''
            raise UserError(
                f'not finite: {found[0]}{more}. It is not saved, and what was saved before is left '
                'as it is: go on from there with --resume, and perhaps a lower learning rate'
            )
        checkpoint['meta'][KEY] = runner.cfg.to_dict()
        for key in checkpoint.keys() - {'state_dict', 'ema_state_dict'}:
            checkpoint[key] = to_plain(checkpoint[key], name=key)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Save, note where, and only then delete; mmengine deletes first."""
        kept: list[int] = []
        if self.max_keep_ckpts > 0:
            kept = [*(each for each in self.keep_ckpt_ids if each != step), step]
            # Saved with those that are too many: should this process die before it has deleted
            # them, the one that goes on does.
            runner.message_hub.update_info('keep_ckpt_ids', kept)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.message_hub.update_info('saved_iter', meta['iter'])
        gather_gradients(runner.optim_wrapper)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids = deque(kept, self.max_keep_ckpts)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        if not saves():
            return
        with written_aside(Path(runner.work_dir)) as aside:
            (aside / 'last_checkpoint').write_text(self.last_ckpt)
        for each in kept[: -self.max_keep_ckpts]:
            old = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(each))
            _delete(old, self.file_backend)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save the best, and only then delete what was the best before; mmengine deletes first."""
        backend = self.file_backend
        self.file_backend = outdated = _KeepingBackend(backend)
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        several = getattr(self, 'best_ckpt_path_dict', {}).values()
        now = {self.last_ckpt, getattr(self, 'best_ckpt_path', None), *several}
        for path in outdated.paths:
            if path not in now:
                _delete(path, backend)

    @master_only
    def _publish_model(self, runner: Runner, ckpt_path: str) -> None:
        """Write it aside; mmengine makes its name, from the other's, as it writes."""
        if not self._is_local():
            super()._publish_model(runner, ckpt_path)
            return
        path = Path(ckpt_path)
        with written_aside(path.parent) as aside:
            (aside / path.name).symlink_to(path.absolute())
            super()._publish_model(runner, str(aside / path.name))
            names = [file.name for file in aside.iterdir() if not file.is_symlink()]
        print_log(f'Published: {", ".join(names)} in {path.parent}', logger='current')

    def _is_local(self) -> bool:
        return is_local(self.out_dir, self.file_client_args, self.backend_args)


class _KeepingBackend:
    """Notes what is to be deleted in place of deleting it.

    Attributes:
        paths: what is to be deleted.
    """

    def __init__(self, backend: Any) -> None:  # mmengine's two kinds have no type in common
        self.paths: list[str] = []
        self.join_path, self.isfile, self.isdir = backend.join_path, backend.isfile, backend.isdir
        self.remove = self.rmtree = self.paths.append


def _delete(path: str, backend: Any) -> None:
    if backend.isfile(path):
        backend.remove(path)
    elif backend.isdir(path):  # as DeepSpeed saves
        backend.rmtree(path)
