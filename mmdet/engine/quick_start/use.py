"""The command that runs a trained model on a picture."""

import os
import shlex
import sys
from pathlib import Path

from mmengine.config import Config

from mmdet.datasets.image_file import IMAGE_SUFFIXES
from mmdet.engine.config import datasets_of


def command_for(cfg: Config, checkpoint: Path, config: Path) -> str:
    """Return a command that works in any folder, with a picture that is there.

    Where none of the config's data sets has a picture on a disk here, `PICTURE` stands for it.

    Args:
        cfg: of the training.
        checkpoint: the trained model, which carries its config as data.
        config: the config's file, for those that need code of their own.
    """
    picture = str(_picture(cfg) or 'PICTURE')
    command = [sys.executable, '-m', 'mmdet', 'predict', picture, str(checkpoint)]
    command += ['--config', str(config)] if cfg.get('custom_imports') else []
    return shlex.join(command)


def _picture(cfg: Config) -> Path | None:
    """Return the first picture of the first data set that has one, if possible of the test's."""
    for stage in ('test', 'val', 'train'):
        for dataset in datasets_of(cfg.get(f'{stage}_dataloader')):
            prefix = (dataset.get('data_prefix') or {}).get('img', '')
            folder = Path(dataset.get('data_root') or '', prefix)
            for place, folders, files in os.walk(folder):
                folders.sort()
                names = (name for name in files if Path(name).suffix.lower() in IMAGE_SUFFIXES)
                if picture := min(names, default=None):
                    return Path(place, picture).resolve()
    return None
