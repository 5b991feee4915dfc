"""Train, draw what was learnt, and say what is left where."""

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.runner import Runner

from .use import command_for

Tool = Callable[[Sequence[str]], Runner]


class Remains(NamedTuple):
    """What a training left.

    Attributes:
        work_dir: the folder of it all.
        config: the settings as the options changed them.
        log: the log, with all figures.
        checkpoint: the last that this run wrote, if it wrote one.
        command: runs that checkpoint on a picture.
        visualizer: whether the settings name a visualizer.
        test: whether they say what to test with, which is what is drawn.
    """

    work_dir: Path
    config: Path
    log: Path
    checkpoint: Path | None
    command: str | None
    visualizer: bool
    test: bool


def train_and_draw(arguments: Sequence[str], *, train: Tool, test: Tool) -> None:
    """Train, then draw predicted masks into `vis` in the work directory.

    Args:
        arguments: the command line of tools/train.py.
        train: tools/train.py's `main`, which returns its runner.
        test: tools/test.py's.
    """
    remains = _remains(train(arguments))
    if not remains.test:
        print(f'{remains.config} has no test_dataloader: no pictures are drawn.')
        print(_report(remains, drawn=False), flush=True)
        return
    if remains.checkpoint is None:
        print('This run wrote no checkpoint: no pictures are drawn.', flush=True)
        return
    # The runner, with the optimizer's memory and the loader's workers, is a cycle of references.
    gc.collect()
    print('drawing predicted masks', flush=True)
    drawn = False
    try:
        test(_test_arguments(remains))
        drawn = True
    finally:
        print(_report(remains, drawn=drawn), flush=True)


def _remains(runner: Runner) -> Remains:
    work_dir = Path(runner.work_dir).resolve()
    # Not the file `last_checkpoint`: an older one in the same folder may be another model's.
    written = runner.message_hub.runtime_info.get('last_ckpt')
    checkpoint = Path(written).resolve() if written else None
    checkpoint = checkpoint if checkpoint and checkpoint.is_file() else None
    config = work_dir / Path(runner.cfg.filename).name
    return Remains(
        work_dir=work_dir,
        config=config,
        log=Path(runner.log_dir, f'{runner.timestamp}.log').resolve(),
        checkpoint=checkpoint,
        command=command_for(runner.cfg, checkpoint, config) if checkpoint else None,
        visualizer='visualizer' in runner.cfg,
        test=runner.cfg.get('test_dataloader') is not None,
    )


def _test_arguments(remains: Remains) -> list[str]:
    """The command line of tools/test.py, whose work directory is its own, to overwrite nothing."""
    folder = remains.work_dir
    arguments = [str(remains.config), str(remains.checkpoint), '--work-dir', str(folder / 'test')]
    arguments += ['--show-dir', str(folder / 'vis'), '--show-limit', '50']
    if remains.visualizer:
        # Under one name, mmengine would hand out the training's, whose backends are closed.
        arguments += ['--cfg-options', 'visualizer.name=pictures']
    return arguments


def _report(remains: Remains, *, drawn: bool) -> str:
    lines = {
        'last checkpoint': remains.checkpoint,
        'log, with all figures': remains.log,
        'curves of loss and AP': remains.work_dir / 'curves.png',
        'predicted masks': remains.work_dir / 'vis' if drawn else None,
        'configuration': remains.config,
    }
    left = [f'    {name:24}{path}' for name, path in lines.items() if path and path.exists()]
    use = ['', 'To run it on a picture:', f'    {remains.command}'] if remains.command else []
    return '\n'.join(['', 'Training is done. It left:', *left, *use])
