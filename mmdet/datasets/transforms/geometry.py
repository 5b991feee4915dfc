"""Resizing, flipping, padding: mmcv's transforms, which know images and boxes, learn masks."""

import cv2
import mmcv
from mmcv.transforms import Pad as MMCVPad
from mmcv.transforms import RandomChoiceResize as MMCVRandomChoiceResize
from mmcv.transforms import RandomFlip as MMCVRandomFlip
from mmcv.transforms import RandomResize as MMCVRandomResize
from mmcv.transforms import Resize as MMCVResize

from mmdet.registry import TRANSFORMS

from .arguments import check_within

_FLIPS = dict(horizontal=1, vertical=0, diagonal=-1)  # OpenCV's names for them


@TRANSFORMS.register_module()
class Resize(MMCVResize):
    """Resize image, boxes and masks; see mmcv's class for the arguments.

    With `keep_ratio`, `scale` (w, h) is what the result must fit in, the longer side in the
    longer; masks are resized by the nearest pixel.
    """

    def _resize_bboxes(self, results: dict) -> None:
        super()._resize_bboxes(results)
        if 'gt_bboxes' in results:
            results['gt_bboxes'] = results['gt_bboxes'].astype('float32')
        if 'gt_masks' in results:
            results['gt_masks'] = results['gt_masks'].resize(results['img_shape'])


@TRANSFORMS.register_module()
class RandomFlip(MMCVRandomFlip):
    """Mirror image, boxes and masks at random; see mmcv's class for the arguments."""

    def _flip(self, results: dict) -> None:
        image = results['img']
        super()._flip(results)
        # mmcv gives a view backwards in memory, through which each later step would go more slowly.
        flipped = cv2.flip(image, _FLIPS[results['flip_direction']])
        results['img'] = flipped.reshape(image.shape)
        if 'gt_masks' in results:
            results['gt_masks'] = results['gt_masks'].flip(results['flip_direction'])


@TRANSFORMS.register_module()
class Pad(MMCVPad):
    """Extend image and masks at the right and the bottom; see mmcv's class for the arguments.

    `size` is (w, h); an image that is larger stays as it is. No instance reaches into the padding,
    whatever `padding_mode` draws there.
    """

    def transform(self, results: dict) -> dict:
        results = super().transform(results)
        if 'gt_masks' in results:
            results['gt_masks'] = results['gt_masks'].pad(results['img_shape'])
        return results


@TRANSFORMS.register_module()
class FixShapeResize(Resize):
    """Resize to one shape; with `keep_ratio` to what fits it, and pad the rest.

    Args:
        width: in pixels.
        height: in pixels.
        pad_val: of `Pad`.
        keep_ratio: keep the ratio of the sides.
        clip_object_border: boxes end at the image's border.
        backend: `cv2` or `pillow`.
        interpolation: of the image.
    """

    def __init__(
        self,
        width: int,
        height: int,
        pad_val: float | dict = dict(img=0, seg=255),  # noqa: B006  # mmcv's, which only reads it
        keep_ratio: bool = False,
        clip_object_border: bool = True,
        backend: str = 'cv2',
        interpolation: str = 'bilinear',
    ) -> None:
        check_within(self, 1, float('inf'), width=width, height=height)
        super().__init__(
            scale=(width, height),
            keep_ratio=keep_ratio,
            clip_object_border=clip_object_border,
            backend=backend,
            interpolation=interpolation,
        )
        self.shape = (height, width)
        self.pad = Pad(size=(width, height), pad_val=pad_val)

    def transform(self, results: dict) -> dict:
        """Return results of that shape; `scale_factor` is that of the resizing."""
        resized = {**results}
        super().transform(resized)  # in place
        return self.pad.transform(resized)

    def _resize_img(self, results: dict) -> None:
        if not self.keep_ratio:
            super()._resize_img(results)
            return
        # mmcv would take the longer side of the scale for the image's, whichever way it lies.
        height, width = results['img'].shape[:2]
        factor = min(self.shape[1] / width, self.shape[0] / height)
        size = int(width * factor + 0.5), int(height * factor + 0.5)
        results['img'] = mmcv.imresize(
            results['img'], size, interpolation=self.interpolation, backend=self.backend
        )
        results['img_shape'] = size[::-1]
        results['scale_factor'] = (factor, factor)
        results['keep_ratio'] = self.keep_ratio


@TRANSFORMS.register_module()
class RandomResize(MMCVRandomResize):
    """Resize to a random scale; see mmcv's class for the first two arguments.

    Args:
        scale: (w, h), or two of them to choose between.
        ratio_range: the scale is multiplied by a number of this range.
        resize_type: the transform that resizes; it takes the arguments of `Resize`.
        keep_ratio: of `Resize`, as are the following.
        clip_object_border: boxes end at the image's border.
        backend: `cv2` or `pillow`.
        interpolation: of the image.
    """

    def __init__(
        self,
        scale: tuple[int, int] | list[tuple[int, int]],
        ratio_range: tuple[float, float] | None = None,
        resize_type: str | type = 'Resize',
        keep_ratio: bool = False,
        clip_object_border: bool = True,
        backend: str = 'cv2',
        interpolation: str = 'bilinear',
    ) -> None:
        super().__init__(
            scale,
            ratio_range,  # pyrefly: ignore[bad-argument-type]  # mmcv's default is None, too
            # A class is what configs in pure Python name; mmcv's registry takes it.
            _in_our_scope(resize_type),  # pyrefly: ignore[bad-argument-type]
            keep_ratio=keep_ratio,
            clip_object_border=clip_object_border,
            backend=backend,
            interpolation=interpolation,
        )


@TRANSFORMS.register_module()
class RandomChoiceResize(MMCVRandomChoiceResize):
    """Resize to one of several scales.

    Args:
        scales: (w, h) each, or a square's side.
        resize_type: the transform that resizes; it takes the arguments of `Resize`.
        keep_ratio: of `Resize`, as are the following.
        clip_object_border: boxes end at the image's border.
        backend: `cv2` or `pillow`.
        interpolation: of the image.
    """

    def __init__(
        self,
        scales: list[tuple[int, int] | int],
        resize_type: str | type = 'Resize',
        keep_ratio: bool = False,
        clip_object_border: bool = True,
        backend: str = 'cv2',
        interpolation: str = 'bilinear',
    ) -> None:
        super().__init__(
            scales,
            # A class is what configs in pure Python name; mmcv's registry takes it.
            _in_our_scope(resize_type),  # pyrefly: ignore[bad-argument-type]
            keep_ratio=keep_ratio,
            clip_object_border=clip_object_border,
            backend=backend,
            interpolation=interpolation,
        )


def _in_our_scope(kind: str | type) -> str | type:
    return kind if not isinstance(kind, str) or '.' in kind else f'mmdet.{kind}'
