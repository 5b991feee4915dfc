"""Reading COCO annotation files, with the complaints that a broken one deserves."""

import json
from collections import Counter

from mmdet.errors import UserError

from .file_backend import file_backend

LAYOUT = """a data set in COCO's format is expected to look like this:
    DATA_ROOT/annotations/instances_train2017.json
    DATA_ROOT/annotations/instances_val2017.json
    DATA_ROOT/train2017/*.jpg
    DATA_ROOT/val2017/*.jpg
name another place with --data-root DIR, or another layout with ann_file and data_prefix"""


def read_coco_file(path: str, backend_args: dict | None = None) -> dict:
    """Return the content of a COCO annotation file.

    Args:
        path: of the file.
        backend_args: of mmengine's storage backend, if the file is not on a local disk.

    Raises:
        UserError: the file is missing, is not JSON, or has not COCO's form.
    """
    backend = file_backend(path, backend_args)
    try:
        content = json.loads(backend.get(path))
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f'{LAYOUT}\nannotation file {path} does not exist') from None
    except OSError as error:
        raise UserError(f'annotation file {path} cannot be read: {error}') from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f'{path} is not JSON ({error}); is the download complete?') from None
    if isinstance(content, dict):
        content.setdefault('annotations', [])  # COCO's test splits come without
    _check_form(content, path)
    return content


def _check_form(content: object, path: str) -> None:
    wanted = {
        'images': ('id', 'file_name', 'height', 'width'),
        'annotations': ('id', 'image_id', 'category_id', 'bbox'),
        'categories': ('id', 'name'),
    }
    if not isinstance(content, dict):
        raise UserError(f'{path} is not a COCO annotation file: its top level is no object')
    for section, fields in wanted.items():
        entries = content.get(section)
        if not isinstance(entries, list):
            raise UserError(f'{path} is not a COCO annotation file: it has no list {section!r}')
        for entry in entries:
            missing = [field for field in fields if field not in entry]
            if missing:
                raise UserError(
                    f'{path} is not a COCO annotation file: an entry of {section!r} '
                    f'has no {missing[0]!r}'
                )
        identifiers = Counter(entry['id'] for entry in entries)
        repeated = [identifier for identifier, count in identifiers.items() if count > 1]
        if repeated:
            raise UserError(f'{path}: the id {repeated[0]} stands twice in {section!r}')


def category_labels(content: dict, classes: tuple[str, ...], path: str) -> dict[int, int]:
    """Return the label of each category id: the index of its name in `classes`.

    Categories that `classes` does not name are left out.

    Raises:
        UserError: a class is no category of the file.
    """
    ids = {category['name']: category['id'] for category in content['categories']}
    missing = [name for name in classes if name not in ids]
    if missing:
        raise UserError(
            f'{path} has no category {", ".join(map(repr, missing[:5]))}'
            f'{" and others" if len(missing) > 5 else ""}; its categories are '
            f'{", ".join(map(repr, list(ids)[:20]))}{", ..." if len(ids) > 20 else ""}. '
            'Name the ones to train in metainfo=dict(classes=(...)) of each data set, '
            "and set the head's num_classes to their number"
        )
    return {ids[name]: label for label, name in enumerate(classes)}
