"""A config for somebody's own data: a dozen lines on top of a shipped one."""

import os
from pathlib import Path

from mmdet.engine.config import find_config, read_config
from mmdet.utils.files import write_whole

from .own_data import OwnData, look_into

GPU_CONFIG = 'solo/solo_r50_fpn_own.py'
CPU_CONFIG = 'solo/solo_r18_fpn_own-cpu.py'

_TEXT = """\
# What `bash train.sh {folder}` found there. It is yours to edit; then
#     bash train.sh {path}
_base_ = {base!r}

classes = {classes!r}
data = dict(type={kind!r}, data_root={root!r}, metainfo=dict(classes=classes))

model = dict(mask_head=dict(num_classes=len(classes)))
train_dataloader = dict(
    dataset=dict(
        **data,
        ann_file={train_file!r},
        data_prefix={train_prefix!r},
    )
)
val_dataloader = dict(
    dataset=dict(
        **data,
        ann_file={val_file!r},
        data_prefix={val_prefix!r},
    )
)
test_dataloader = val_dataloader
"""


def config_for(folder: Path, *, work_dirs: Path, has_gpu: bool) -> tuple[Path, str]:
    """Write a config for the data in a folder, and say in five lines what was decided.

    It is `work_dirs/NAME/NAME.py`, for a folder NAME. Where it is there already it is left as it
    is: its owner may have changed it.

    Args:
        folder: of the data, in any format that is recognised.
        work_dirs: where the work directory is, or is made.
        has_gpu: PyTorch sees one.

    Returns:
        The config, and what to tell the user.

    Raises:
        UserError: the folder holds nothing that is known, or nothing to train on.
    """
    work_dir = work_dirs / folder.resolve().name
    path = work_dir / f'{work_dir.name}.py'
    if path.is_file():
        return path, f'training {path}, which is there; without it, it is written anew'
    data = look_into(folder, notes=work_dir)
    base = find_config(GPU_CONFIG if has_gpu else CPU_CONFIG)
    train, val = data.parts['train'], data.parts['val']
    text = _TEXT.format(
        folder=folder,
        path=path,
        base=_path_from(work_dir, base),
        classes=tuple(data.classes),
        kind=train['type'],
        root=train['data_root'],
        train_file=train['ann_file'],
        train_prefix=train['data_prefix'],
        val_file=val['ann_file'],
        val_prefix=val['data_prefix'],
    )
    decisions = _decisions(data, base, path, has_gpu=has_gpu)
    write_whole(path, text.encode())
    return path, '\n'.join(decisions)


def _path_from(folder: Path, base: Path) -> str:
    """Return a path that stays right where the repository is moved with both in it."""
    repo = base.parents[2]
    inside = folder.resolve().is_relative_to(repo)
    return os.path.relpath(base, folder.resolve()) if inside else str(base)


def _decisions(data: OwnData, base: Path, path: Path, *, has_gpu: bool) -> list[str]:
    cfg = read_config(str(base))
    classes = ', '.join(f'{name} ({number})' for name, number in data.classes.items())
    unused = f'; without objects, left out: {", ".join(data.unused)}' if data.unused else ''
    how = f'made here, in {path.parent}: it had none' if data.was_split else 'as it has them'
    train, val = data.sizes['train'], data.sizes['val']
    return [
        f'data      {data.root}, read by {data.kind}',
        f'classes   {len(data.classes)}, with so many objects: {classes}{unused}',
        f'parts     {train} images to train on, {val} to validate, {how}',
        f'training  {base.stem} {"on the GPU" if has_gpu else "without a GPU"}: '
        f'{cfg.train_cfg.max_iters} steps of {cfg.train_dataloader.batch_size} images',
        f'config    {path}, yours to edit',
    ]
