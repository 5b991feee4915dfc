"""Reading what a test has found, from a file that it left behind.

| file | written by | holds |
| --- | --- | --- |
| a pickle | `tools/test.py --out results.pkl`, mmdetection's `DumpDetResults` | a list of samples |
| JSON | `tools/test.py --out results.json`, `outfile_prefix` (`.segm.json`) | COCO's results |

Either becomes what `CocoMetric` keeps of a test: for each image a dict of `img_id`, `scores` and
`labels`, lists of numbers from high to low scores as they were found, and `rles`, masks of the
image's size. Nothing in a pickle is run.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmengine.logging import print_log
from torch import Tensor

from mmdet.datasets.coco_file import garbage_left_alone
from mmdet.datasets.coco_values import Identifier, identifier_key, real_number
from mmdet.datasets.segmentation_check import (
    UnusableMaskError,
    check_segmentation,
    compressed_counts,
)
from mmdet.errors import UserError
from mmdet.structures.segmentation import as_rle
from mmdet.utils.known_pickle import ForbiddenNameError

from .plain_pickle import load_plain

_EXPECTED = (
    "expected what tools/test.py --out writes: mmdetection's pickled list of samples, or COCO's "
    'results as JSON'
)


@dataclass
class TestImages:
    """What a results file may speak of.

    Attributes:
        source: what has the images, to be named where one is missing.
        sizes: (height, width) in pixels of each image, by its id.
        category_ids: what COCO's results call each label.
    """

    __test__ = False  # pytest takes the class for a test by its name

    source: str
    sizes: Mapping[Identifier, tuple[int, int]]
    category_ids: Sequence[Identifier]


def read_results(path: str, images: TestImages) -> list[dict]:
    """Return what was found in each image of the file, as the module says.

    Args:
        path: of the file.
        images: of the test.

    Raises:
        UserError: the file is missing, another's, empty or cut off, speaks of other images or
            categories, or has masks that cannot be decoded.
    """
    try:
        with open(path, 'rb') as file:
            content = file.read()
    except FileNotFoundError:
        raise UserError(f'results file {path} does not exist') from None
    except IsADirectoryError:
        raise UserError(f'results file {path} is a folder: name a file in it') from None
    if not content.strip():
        raise UserError(f'{path} is empty; {_EXPECTED}')
    with garbage_left_alone():
        if content[:1] == b'\x80':
            return _of_samples(path, _unpickled(path, content), images)
        return _of_detections(path, _parsed(path, content), images)


def _unpickled(path: str, content: bytes) -> list:
    try:
        found = load_plain(content)
    except ForbiddenNameError as error:
        raise UserError(
            f'{path} asks for {error}, which may run code, and is not read; {_EXPECTED}'
        ) from None
    except Exception as error:  # a damaged pickle may break the reader anywhere
        reason = str(error).partition('\n')[0]
        raise UserError(
            f'{path} is cut off or damaged ({type(error).__name__}: {reason}); {_EXPECTED}'
        ) from None
    if not isinstance(found, list):
        raise UserError(f'{path} holds a {type(found).__name__}; {_EXPECTED}')
    return found


def _parsed(path: str, content: bytes) -> list:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        what = 'is cut off or damaged' if content.lstrip()[:1] == b'[' else 'is no results file'
        raise UserError(f'{path} {what} ({error}); {_EXPECTED}') from None
    if isinstance(found, dict) and 'annotations' in found:
        raise UserError(f'{path} holds annotations, not what was found; {_EXPECTED}')
    if not isinstance(found, list):
        raise UserError(f'{path} holds no list; {_EXPECTED}')
    return found


def _of_samples(path: str, samples: list, images: TestImages) -> list[dict]:
    keys = _keys(images.sizes)
    results: list[dict] = []
    strangers: list[object] = []
    for number, sample in enumerate(samples):
        where = f'{path}, sample {number}'
        if not isinstance(sample, Mapping) or 'img_id' not in sample:
            raise UserError(f'{where} has no img_id; {_EXPECTED}')
        found = sample.get('pred_instances')
        if not isinstance(found, Mapping):
            raise UserError(f'{where} has no pred_instances; {_EXPECTED}')
        img_id = keys.get(identifier_key(sample['img_id']))
        if img_id is None:
            strangers.append(sample['img_id'])
            continue
        scores, labels = (_numbers(found.get(name), where, name) for name in ('scores', 'labels'))
        rles = found.get('masks')
        if not isinstance(rles, list):
            raise UserError(f'{where} has no masks as RLE: are these results of boxes?')
        if not len(scores) == len(labels) == len(rles):
            raise UserError(
                f'{where} has {len(scores)} scores, {len(labels)} labels and {len(rles)} masks'
            )
        wrong = [label for label in labels if not 0 <= label < len(images.category_ids)]
        if wrong:
            raise UserError(
                f'{where} has the label {wrong[0]}, and the test {len(images.category_ids)} '
                'classes: is it another config?'
            )
        rles = [_with_bytes(rle, where) for rle in rles]
        _check_masks(rles, images.sizes[img_id], where)
        results.append(dict(img_id=img_id, scores=scores, labels=labels, rles=rles))
    _refuse_strangers(path, images.source, 'image', strangers)
    missing = len(images.sizes.keys() - {result['img_id'] for result in results})
    if missing:
        print_log(
            f'{path} lacks {missing} of {len(images.sizes)} images of {images.source}: they count '
            'as those in which nothing was found',
            logger='current',
            level=logging.WARNING,
        )
    return results


def _of_detections(path: str, detections: list, images: TestImages) -> list[dict]:
    keys = _keys(images.sizes)
    labels = {identifier_key(key): label for label, key in enumerate(images.category_ids)}
    results: dict[Identifier, dict] = {}
    strangers: dict[str, list[object]] = dict(image=[], category=[])
    for number, detection in enumerate(detections):
        where = f'{path}, entry {number}'
        if not isinstance(detection, dict):
            raise UserError(f'{where} is no object; {_EXPECTED}')
        missing = [name for name in ('image_id', 'category_id', 'score') if name not in detection]
        if missing:
            raise UserError(f'{where} has no {missing[0]}; {_EXPECTED}')
        img_id = keys.get(identifier_key(detection['image_id']))
        label = labels.get(identifier_key(detection['category_id']))
        if img_id is None:
            strangers['image'].append(detection['image_id'])
        if label is None:
            strangers['category'].append(detection['category_id'])
        if img_id is None or label is None:
            continue
        score = real_number(detection['score'])
        if score is None:
            raise UserError(f'{where} has the score {detection["score"]!r}, which is no number')
        result = results.setdefault(img_id, dict(img_id=img_id, scores=[], labels=[], rles=[]))
        result['scores'].append(float(score))
        result['labels'].append(label)
        result['rles'].append(_mask(detection, images.sizes[img_id], where))
    for kind, unknown in strangers.items():
        _refuse_strangers(path, images.source, kind, unknown)
    for img_id, result in results.items():
        _check_masks(result['rles'], images.sizes[img_id], f'{path}, image {img_id!r}')
    return list(results.values())


def _keys(sizes: Mapping[Identifier, object]) -> dict[Identifier | None, Identifier]:
    return {identifier_key(key): key for key in sizes}


def _numbers(values: object, where: str, name: str) -> list:
    if not isinstance(values, Tensor):
        raise UserError(f'{where} has no {name} as a tensor; {_EXPECTED}')
    return values.tolist()


def _mask(detection: dict, size: tuple[int, int], where: str) -> dict:
    """Return the mask of an entry of COCO's results as compressed RLE; COCO takes polygons, too."""
    segmentation = detection.get('segmentation')
    if segmentation is None:
        raise UserError(f'{where} has no segmentation: are these results of boxes?')
    if isinstance(segmentation, dict) and isinstance(segmentation.get('counts'), str):
        return _with_bytes(segmentation, where)
    try:
        return as_rle(check_segmentation(segmentation, *size).segmentation, *size)
    except UnusableMaskError as error:
        raise UserError(f'{where} is one {error}') from None


def _with_bytes(rle: object, where: str) -> dict:
    """Return an RLE as pycocotools has it, whichever of its forms it came in."""
    if not isinstance(rle, Mapping) or not {'size', 'counts'} <= rle.keys():
        raise UserError(f'{where} has a mask that is no RLE')
    size, counts = rle['size'], rle['counts']
    if isinstance(counts, str):
        counts = counts.encode('latin1', 'replace')
    if not isinstance(counts, bytes) or not isinstance(size, list | tuple):
        raise UserError(f'{where} has a mask that is no RLE')
    return dict(size=list(size), counts=counts)


def _check_masks(rles: list[dict], size: tuple[int, int], where: str) -> None:
    wrong = next((rle['size'] for rle in rles if tuple(rle['size']) != tuple(size)), None)
    if wrong is not None:
        height, width = size
        raise UserError(
            f'{where} has a mask of {wrong} (height, width) in an image of {[height, width]}: '
            'are these results of other images?'
        )
    for rle in rles:
        # pycocotools trusts them, and would read behind the mask.
        try:
            lengths = compressed_counts(rle['counts'])
        except UnusableMaskError:
            raise UserError(f'{where} has a mask that is no RLE of COCO') from None
        if lengths.min() < 0 or lengths.sum() != size[0] * size[1]:
            raise UserError(f'{where} has a mask whose run lengths do not add up to its size')


def _refuse_strangers(path: str, source: str, kind: str, strangers: Sequence[object]) -> None:
    different = list(dict.fromkeys(map(repr, strangers)))
    if not different:
        return
    others = f' and {len(different) - 5} others' if len(different) > 5 else ''
    raise UserError(
        f'{path} has the {kind} id {", ".join(different[:5])}{others}, which {source} lacks: '
        'are these results of other data?'
    )
