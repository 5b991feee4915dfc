"""The configs that are shipped inside the package, found by name.

They lie in `mmdet/.mim/configs`, where mmengine looks for `mmdet::solo/solo_r50_fpn_1x_coco.py`. In
a checkout that is a link to `configs/`.
"""

import os
from difflib import get_close_matches
from pathlib import Path

from mmdet.errors import UserError

SHIPPED = (Path(__file__).parents[2] / '.mim/configs').resolve()


def shipped_configs() -> dict[str, Path]:
    """Return the shipped configs' files by their names, in alphabetical order."""
    # What configs are made of has no name of its own.
    paths = (path for path in SHIPPED.rglob('*.py') if path.relative_to(SHIPPED).parts[0][0] != '_')
    return {path.stem: path for path in sorted(paths, key=lambda path: path.stem)}


def find_config(name: str) -> Path:
    """Return the config file that a name means: a file's path, or else a shipped config's name.

    A shipped one is `solo/solo_r50_fpn_1x_coco.py`, with `configs/` or `mmdet::` before it or not,
    or `solo_r50_fpn_1x_coco` alone, with `.py` or not.

    Raises:
        UserError: there is neither; those with the nearest names are named.

    Examples:
        >>> find_config('solo_r50_fpn_1x_coco').relative_to(SHIPPED).as_posix()
        'solo/solo_r50_fpn_1x_coco.py'
    """
    if Path(name).is_file():
        return Path(name)
    shipped = {path.relative_to(SHIPPED).as_posix(): path for path in SHIPPED.rglob('*.py')}
    leaves = shipped_configs()
    wanted = os.path.normpath(name.removeprefix('mmdet::')).removeprefix('configs/')
    wanted = wanted.removesuffix('.py')
    found = shipped.get(f'{wanted}.py') or leaves.get(wanted)
    if found is None:
        near = get_close_matches(Path(wanted).name, leaves, n=3)
        hint = f'did you mean {", ".join(near)}?' if near else f'those are in {SHIPPED}'
        raise UserError(f'no such config file: {name}, nor is a shipped one called so; {hint}')
    return found
