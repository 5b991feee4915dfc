"""Pictures and figures that a command writes into a folder, told from other people's files."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmdet.utils.files import check_target, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_outputs(folder: str, names: Sequence[str], made_by: str) -> None:
    """See that files can be written into a folder, over no others than the command's own.

    Args:
        folder: that the user named.
        names: of the files, what `write_figure` and `write_json` write.
        made_by: the command.

    Raises:
        UserError: the folder cannot be written, or a file of somebody else's is in the way.
    """
    marks = f'tEXtSoftware\0{made_by}'.encode(), f'"made_by": "{made_by}"'.encode()
    for name in names:
        path = str(Path(folder, name))
        check_target('file', path, is_ours=lambda ends: any(mark in ends for mark in marks))


def write_figure(figure: 'Figure', path: Path, made_by: str, *, dpi: int = 100) -> None:
    """Write a figure as PNG, with the command in its head."""
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=dpi, metadata={'Software': made_by})
    write_whole(path, content.getvalue())


def write_json(content: dict, path: Path, made_by: str) -> dict:
    """Write figures as JSON that begins with `made_by`, and return what was written."""
    content = dict(made_by=made_by, **content)
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    write_whole(path, f'{text}\n'.encode())
    return content
