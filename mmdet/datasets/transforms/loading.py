"""From an item of the data list to arrays."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms import LoadImageFromFile as MMCVLoadImageFromFile

from mmdet.datasets.file_backend import file_backend
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from mmdet.structures.masks import BitmapMasks
from mmdet.structures.segmentation import decode_segmentation

from .instances import select_instances


@TRANSFORMS.register_module()
class LoadImageFromFile(MMCVLoadImageFromFile):
    """Read the image at `img_path` as (h, w, 3) BGR; see mmcv's class for the arguments.

    Raises:
        UserError: the file is missing, cannot be read or is no image; it names the path.
    """

    def transform(self, results: dict) -> dict | None:
        path = results['img_path']
        file_backend(path, self.backend_args)  # complains more clearly than mmcv's class does
        try:
            return super().transform(results)
        except FileNotFoundError:
            raise UserError(f'image {path} does not exist') from None
        except OSError as error:
            raise UserError(f'image {path} cannot be read: {error}') from None
        except (AssertionError, cv2.error):
            raise UserError(
                f'image {path} cannot be read: it is broken or no image; '
                'replace the file or take it out of the annotation file'
            ) from None


@TRANSFORMS.register_module()
class LoadAnnotations(BaseTransform):
    """Turn the item's `instances` into parallel arrays; see `instances.py` for their names.

    An instance whose mask is missing or has no polygon of three points is ignored, as are crowd
    regions.

    Args:
        with_bbox: load `gt_bboxes` and `gt_ignore_flags`.
        with_label: load `gt_bboxes_labels`.
        with_mask: load `gt_masks`.
        poly2mask: masks are bitmaps either way. False, which keeps polygons in mmdetection, saves
            it time but trains the same: SOLO learns from bitmaps, which differ by less than a
            pixel at the outlines, and polygons cannot hold masks given as RLE.
        box_type: `hbox` or None, both upright boxes as arrays.

    Raises:
        UserError: another `box_type`.
    """

    def __init__(
        self,
        with_bbox: bool = True,
        with_label: bool = True,
        with_mask: bool = False,
        poly2mask: bool = True,
        box_type: str | None = 'hbox',
    ) -> None:
        if box_type not in ('hbox', None):
            raise UserError(f"LoadAnnotations knows no box_type {box_type!r}, only 'hbox'")
        self.with_bbox = with_bbox
        self.with_label = with_label
        self.with_mask = with_mask

    def transform(self, results: dict) -> dict:
        instances = results.get('instances', [])
        ignored = [bool(instance['ignore_flag']) for instance in instances]
        if self.with_bbox:
            boxes = [instance['bbox'] for instance in instances]
            results['gt_bboxes'] = np.array(boxes, np.float32).reshape(-1, 4)
        if self.with_label:
            labels = [instance['bbox_label'] for instance in instances]
            results['gt_bboxes_labels'] = np.array(labels, np.int64)
        if self.with_mask:
            height, width = results['ori_shape']
            masks = np.zeros((len(instances), height, width), np.uint8)
            for index, instance in enumerate(instances):
                segmentation = _valid_segmentation(instance.get('mask'))
                if segmentation:
                    masks[index] = decode_segmentation(segmentation, height, width)
                else:
                    ignored[index] = True
            results['gt_masks'] = BitmapMasks(masks, height, width)
        results['gt_ignore_flags'] = np.array(ignored, bool)
        return results


def _valid_segmentation(segmentation: list | dict | None) -> list | dict | None:
    """Return what of a segmentation can be decoded: polygons of three points or more, or RLE."""
    if isinstance(segmentation, list):
        return [polygon for polygon in segmentation if len(polygon) >= 6 and len(polygon) % 2 == 0]
    return segmentation


@TRANSFORMS.register_module()
class FilterAnnotations(BaseTransform):
    """Leave out instances that have become too small.

    Args:
        min_gt_bbox_wh: a box must be wider and higher than this, in pixels.
        min_gt_mask_area: a mask must have this many pixels.
        by_box: apply the first.
        by_mask: apply the second.
        keep_empty: despite its name, as in mmdetection: an image that loses all its instances is
            skipped (the data set draws another one); with False it stays, without instances.
    """

    def __init__(
        self,
        min_gt_bbox_wh: tuple[float, float] = (1.0, 1.0),
        min_gt_mask_area: int = 1,
        by_box: bool = True,
        by_mask: bool = False,
        keep_empty: bool = True,
    ) -> None:
        if not (by_box or by_mask):
            raise UserError('FilterAnnotations needs by_box or by_mask')
        self.min_gt_bbox_wh = min_gt_bbox_wh
        self.min_gt_mask_area = min_gt_mask_area
        self.by_box = by_box
        self.by_mask = by_mask
        self.keep_empty = keep_empty

    def transform(self, results: dict) -> dict | None:
        boxes = results['gt_bboxes']
        if len(boxes) == 0:
            return results
        keep = np.ones(len(boxes), bool)
        if self.by_box:
            keep &= (boxes[:, 2:] - boxes[:, :2] > self.min_gt_bbox_wh).all(1)
        if self.by_mask:
            keep &= results['gt_masks'].areas >= self.min_gt_mask_area
        if not keep.any() and self.keep_empty:
            return None
        return select_instances(results, keep)
