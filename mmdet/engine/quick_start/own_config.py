"""A config for somebody's own data: what differs from a shipped one."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from mmdet.engine.config import find_config, read_config
from mmdet.engine.config.source import config_text
from mmdet.engine.config.top_level import READ
from mmdet.engine.fit_grid.apply import apply_settings, difference
from mmdet.engine.fit_grid.objects import objects_of_training
from mmdet.engine.fit_grid.proposal import FACTORS, GridSettings, propose
from mmdet.errors import UserError
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmdet.utils.files import write_whole

from .own_data import OwnData, look_into

GPU_CONFIG = 'solo/solo_r50_fpn_own.py'
CPU_CONFIG = 'solo/solo_r18_fpn_own-cpu.py'
_MAX_IMAGES = 500  # that the grid is fitted to
_MOST_ON_CPU = 1.0  # larger images would take hours

_HEAD = """\
What `bash train.sh {folder}` found there, with a grid that fits its objects.
It is yours to edit; then
    bash train.sh {path}"""


def config_for(folder: Path, *, work_dirs: Path, has_gpu: bool) -> tuple[Path, str]:
    """Write a config for the data in a folder, and say in a few lines what was decided.

    It is `work_dirs/NAME/NAME.py`, for a folder NAME. Where it is there already it is left as it
    is: its owner may have changed it.

    Args:
        folder: of the data, in any format that is recognised.
        work_dirs: where the work directory is, or is made.
        has_gpu: PyTorch sees one.

    Returns:
        The config, and what to tell the user.

    Raises:
        UserError: the folder holds nothing that is known, or nothing to train on; the config that
            is there trains on another folder's data.
    """
    work_dir = work_dirs / folder.resolve().name
    path = work_dir / f'{work_dir.name}.py'
    if path.is_file():
        _check_trains_on(path, folder)
        return path, f'training {path}, which is there; without it, it is written anew'
    data = look_into(folder, notes=work_dir)
    base = read_config(str(find_config(GPU_CONFIG if has_gpu else CPU_CONFIG)))
    new = _with_data(base, data)
    settings = _fit(new, most=FACTORS[-1] if has_gpu else _MOST_ON_CPU)
    new = apply_settings(new, settings)
    text = config_text(
        difference(base.to_dict(), {key: new[key] for key in new if key in READ}),
        base=_path_from(work_dir, Path(base.filename)),
        head=_HEAD.format(folder=shlex.quote(str(folder)), path=shlex.quote(str(path))),
    )
    decisions = _decisions(data, base, path, settings, has_gpu=has_gpu)
    write_whole(path, text.encode())
    return path, '\n'.join(decisions)


def _check_trains_on(path: Path, folder: Path) -> None:
    """Refuse a config that is there for data in another folder of the same name."""
    dataset = read_config(str(path)).get('train_dataloader', {}).get('dataset', {})
    root = dataset.get('data_root')  # of a wrapper, there is none
    if root and not Path(root).resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f'{path} is there, and trains on {root}, not on {folder}: rename one of the two '
            'folders, or the work directory'
        )


def _with_data(base: Config, data: OwnData) -> dict:
    new = Config(base.to_dict())
    metainfo = dict(classes=tuple(data.classes))
    train, val = ({**data.parts[part], 'metainfo': metainfo} for part in ('train', 'val'))
    new.merge_from_dict(
        dict(
            model=dict(mask_head=dict(num_classes=len(data.classes))),
            train_dataloader=dict(dataset=train),
            val_dataloader=dict(dataset=val),
            test_dataloader=dict(dataset=val),
        )
    )
    return new.to_dict()


def _fit(cfg: Mapping, *, most: float) -> GridSettings:
    register_all_modules()
    head = MODELS.build(cfg['model']['mask_head'])
    objects = objects_of_training(cfg, max_images=_MAX_IMAGES)
    return propose(objects, head.mask_strides, most=most)


def _path_from(folder: Path, base: Path) -> str:
    """Return a path that stays right where the repository is moved with both in it."""
    repo = base.parents[2]
    inside = folder.resolve().is_relative_to(repo)
    return os.path.relpath(base, folder.resolve()) if inside else str(base)


def _decisions(
    data: OwnData, base: Config, path: Path, settings: GridSettings, *, has_gpu: bool
) -> list[str]:
    classes = ', '.join(f'{name} ({number})' for name, number in data.classes.items())
    unused = (
        f'; without objects to train on, left out: {", ".join(data.unused)}' if data.unused else ''
    )
    how = f'made here, in {path.parent}: it had none' if data.was_split else 'as it has them'
    unread = f'; not read: {", ".join(data.unread)}' if data.unread else ''
    train, val = data.sizes['train'], data.sizes['val']
    grids = ', '.join(map(str, settings.num_grids))
    size = '' if settings.factor == 1 else f', images {settings.factor:g} times as high and wide'
    return [
        f'data      {data.root}, read by {data.kind}',
        f'classes   {len(data.classes)}, with so many objects: {classes}{unused}',
        f'parts     {train} images to train on, {val} to validate, {how}{unread}',
        f'training  {Path(base.filename).stem} {"on the GPU" if has_gpu else "without a GPU"}: '
        f'{base.train_cfg.max_iters} steps of {base.train_dataloader.batch_size} images; '
        f'grids that fit: {grids}{size}',
        f'config    {path}, yours to edit',
    ]
