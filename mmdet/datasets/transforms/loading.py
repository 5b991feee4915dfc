"""From an item of the data list to arrays."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.datasets.image_file import UnreadableError, check_array, read_image
from mmdet.datasets.unusable_image import UnusableImage, note_unusable
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from mmdet.structures.coded_masks import masks_of

from .instances import select_instances


@TRANSFORMS.register_module()
class LoadImageFromFile(BaseTransform):
    """Read the image at `img_path`, at the annotated size; see `mmdet.datasets.image_file`.

    Adds `img`, (h, w, 3) BGR, `img_shape` and `ori_shape`, both (h, w). The arguments are mmcv's.

    Args:
        to_float32: make float32 of uint8.
        color_type: `color`, `grayscale`, `unchanged` or another flag of `mmcv.imfrombytes`.
        imdecode_backend: `cv2`, `pillow` or another of `mmcv.imfrombytes`.
        file_client_args: the older form of `backend_args`.
        ignore_empty: give None for an image that is missing or broken, so that any data set draws
            another one; `CocoDataset` does so in training anyway.
        backend_args: of mmengine's storage backend, if images are not on a local disk.

    Raises:
        UserError: the file is missing, is no image, or has another size than the item's `height`
            and `width`; it names the path.
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = 'color',
        imdecode_backend: str = 'cv2',
        file_client_args: dict | None = None,
        ignore_empty: bool = False,
        *,
        backend_args: dict | None = None,
    ) -> None:
        if file_client_args is not None and backend_args is not None:
            raise UserError(
                'LoadImageFromFile has both file_client_args and backend_args; '
                'name backend_args alone'
            )
        self.to_float32 = to_float32
        self.color_type = color_type
        self.imdecode_backend = imdecode_backend
        self.ignore_empty = ignore_empty
        self.backend_args = backend_args or as_backend_args(file_client_args)

    def transform(self, results: dict) -> dict | None:
        annotated = 'height' in results and 'width' in results
        try:
            image = read_image(
                results['img_path'],
                size=(results['height'], results['width']) if annotated else None,
                flag=self.color_type,
                imdecode_backend=self.imdecode_backend,
                backend_args=self.backend_args,
            )
        except UnreadableError as error:
            if not self.ignore_empty:
                raise
            note_unusable(UnusableImage(results['img_path'], str(error)))
            return None
        if self.to_float32:
            image = image.astype(np.float32)
        return results | dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])


@TRANSFORMS.register_module()
class LoadImageFromNDArray(LoadImageFromFile):
    """Take the image that the item holds as `img`, (h, w, 3) BGR, in place of reading a file.

    Adds `img_path` None, `img_shape` and `ori_shape`, both (h, w). So that a pipeline of files
    serves for images in memory it takes the arguments of `LoadImageFromFile`, of which only
    `to_float32` matters here.

    Raises:
        UserError: the image is another array; see `check_array`.
    """

    def transform(self, results: dict) -> dict | None:
        image = results['img']
        check_array(image)
        if self.to_float32:
            image = image.astype(np.float32)
        shape = image.shape[:2]
        return results | dict(img=image, img_path=None, img_shape=shape, ori_shape=shape)


@TRANSFORMS.register_module()
class InferencerLoader(LoadImageFromNDArray):
    """Begin with whatever names an image: its path, an array, or an item with `img_path` or `img`.

    It takes the arguments of `LoadImageFromFile`, which it stands for where a model is used.
    """

    def transform(self, results: dict | str | np.ndarray) -> dict | None:
        if isinstance(results, np.ndarray):
            results = dict(img=results)
        elif not isinstance(results, dict):
            results = dict(img_path=str(results))
        if 'img' in results:
            return super().transform(results)
        return LoadImageFromFile.transform(self, results)


def as_backend_args(file_client_args: dict | None) -> dict | None:
    """Return the `backend_args` for an older `file_client_args`.

    mmengine's file clients have its storage backends' names, but for the local disk.
    """
    if file_client_args and file_client_args.get('backend') == 'disk':
        return {**file_client_args, 'backend': 'local'}
    return file_client_args


@TRANSFORMS.register_module()
class LoadAnnotations(BaseTransform):
    """Turn the item's `instances` into parallel arrays; see `instances.py` for their names.

    An instance without a mask is ignored, as are crowd regions. Masks are the data set's to check:
    `CocoDataset` gives only those that can be decoded.

    Args:
        with_bbox: load `gt_bboxes` and `gt_ignore_flags`.
        with_label: load `gt_bboxes_labels`.
        with_mask: load `gt_masks`.
        poly2mask: has no effect here, and is accepted because mmdetection's SOLOv2 configs write
            it: SOLO learns from bitmaps, of polygons and RLE alike. In mmdetection, False turns
            polygons into bitmaps after the resize instead of before it; masks then differ by less
            than a pixel at their outlines, and those given as RLE are ignored.
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
        results = {**results}
        instances = results.get('instances', [])
        ignored = [bool(instance['ignore_flag']) for instance in instances]
        if self.with_bbox:
            boxes = [instance['bbox'] for instance in instances]
            results['gt_bboxes'] = np.array(boxes, np.float32).reshape(-1, 4)
        if self.with_label:
            labels = [instance['bbox_label'] for instance in instances]
            results['gt_bboxes_labels'] = np.array(labels, np.int64)
        if self.with_mask:
            segmentations = [instance.get('mask') for instance in instances]
            ignored = [flag or not mask for flag, mask in zip(ignored, segmentations, strict=True)]
            results['gt_masks'] = masks_of(segmentations, *results['ori_shape'])
        results['gt_ignore_flags'] = np.array(ignored, bool)
        return results


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
