"""Parameter names of other SOLO code bases, turned into ours, which are mmdetection 3.x's.

Only names differ. All of them append the coordinate channels as x, y; the x half of Decoupled
SOLO predicts columns and the y half rows; class channel k is COCO's k-th class, without a
background. So no weight is permuted.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from mmdet.errors import UserError

OUR_TITLE = 'mmdetection 2.x and 3.x'
_OUR_NAMES = re.compile(
    r'backbone\.(?!bottom_up\.|fpn_)|neck\.|mask_head\.'
    r'(mask_convs|cls_convs|kernel_convs|conv_mask_list|conv_cls|conv_kernel|mask_feature_head)'
    r'(_[xy])?\.'
)


class Layout(NamedTuple):
    """How one code base names what we name otherwise.

    Attributes:
        title: for messages.
        mark: regular expression; a name that it finds gives the layout away.
        renames: (regular expression, replacement), applied one after the other; a name that
            becomes empty is dropped. Names that become one must stand for the same weights.
    """

    title: str
    mark: str
    renames: tuple[tuple[str, str | Callable[[re.Match], str]], ...]


def _place_in_tower(match: re.Match) -> str:
    """Return `0.conv.` for `0.`, `0.gn.` for `1.`, `1.conv.` for `3.`: conv, norm, ReLU in turn."""
    index, part = divmod(int(match['index']), 3)
    return f'{match["tower"]}{index}.{("conv", "gn", "relu")[part]}.'


def _block(match: re.Match) -> str:
    """Return `layer3.1.` for `res4.res4b.`, and for `res4.res4b1.` of deeper networks."""
    letter, number = match['block'][0], match['block'][1:]
    return f'layer{int(match["stage"]) - 1}.{number or ord(letter) - ord("a")}.'


LAYOUTS = (
    Layout(
        title='the original SOLO repository (mmdetection 1.0)',
        mark=r'^bbox_head\.d?solo_cate\.',
        renames=(
            (r'^bbox_head\.', 'mask_head.'),
            (r'^mask_head\.ins_convs', 'mask_head.mask_convs'),
            (r'^mask_head\.cate_convs', 'mask_head.cls_convs'),
            (r'^mask_head\.d?solo_ins_list', 'mask_head.conv_mask_list'),
            (r'^mask_head\.d?solo_cate', 'mask_head.conv_cls'),
            (r'^mask_head\.solo_kernel', 'mask_head.conv_kernel'),
            (r'^mask_feat_head\.', 'mask_head.mask_feature_head.'),
            (r'^(mask_head\.mask_feature_head\.conv_pred\.)0\.', r'\1'),
        ),
    ),
    Layout(
        title="AdelaiDet's SOLOv2 (detectron2)",
        mark=r'^ins_head\.cate_pred\.',
        renames=(
            (r'^pixel_(mean|std)$', ''),
            (r'^mask_head\.', 'mask_head.mask_feature_head.'),
            (r'^(mask_head\.mask_feature_head\..+\.)0\.(weight|bias)$', r'\1conv.\2'),
            (r'^(mask_head\.mask_feature_head\..+\.)1\.(weight|bias)$', r'\1gn.\2'),
            (r'^ins_head\.cate_', 'mask_head.cls_'),
            (r'^ins_head\.kernel_', 'mask_head.kernel_'),
            (r'^mask_head\.(cls|kernel)_pred\.', r'mask_head.conv_\1.'),
            (r'^mask_head\.(cls|kernel)_tower\.', r'mask_head.\1_convs.'),
            (r'^(?P<tower>mask_head\.(cls|kernel)_convs\.)(?P<index>\d+)\.', _place_in_tower),
            *(
                (rf'^backbone\.fpn_lateral{i + 2}\.', f'neck.lateral_convs.{i}.conv.')
                for i in range(4)
            ),
            *((rf'^backbone\.fpn_output{i + 2}\.', f'neck.fpn_convs.{i}.conv.') for i in range(4)),
            (r'^backbone\.bottom_up\.(stem\.)?', 'backbone.'),
            *((rf'^backbone\.res{i + 1}\.', f'backbone.layer{i}.') for i in range(1, 5)),
            (r'^(backbone\..*)conv(\d)\.norm\.', r'\1bn\2.'),
            (r'^(backbone\..*)shortcut\.norm\.', r'\1downsample.1.'),
            (r'^(backbone\..*)shortcut\.', r'\1downsample.0.'),
        ),
    ),
    Layout(
        title="PaddleDetection's ResNet-vd",  # with a pooling first in each shortcut
        mark=r'^backbone\.conv1\.conv1_1\.',
        renames=(
            *(
                (rf'^backbone\.conv1\.conv1_{i + 1}\.{part}\.', f'backbone.stem.{3 * i + place}.')
                for i in range(3)
                for place, part in enumerate(('conv', 'norm'))
            ),
            (r'\.short\.(conv\.)?norm\.', '.downsample.2.'),
            (r'\.short\.(conv\.)?conv\.', '.downsample.1.'),
        ),
    ),
    Layout(
        title="PaddleDetection's SOLOv2",
        mark=r'^solov2_head\.bbox_head\.',
        renames=(
            (r'\._mean$', '.running_mean'),
            (r'\._variance$', '.running_var'),
            (r'^backbone\.conv1\.conv1\.conv\.', 'backbone.conv1.'),
            (r'^backbone\.conv1\.conv1\.norm\.', 'backbone.bn1.'),
            (r'(?<=^backbone\.)res(?P<stage>\d)\.res\d(?P<block>[a-z]\d*)\.', _block),
            (r'\.short\.conv\.', '.downsample.0.'),
            (r'\.short\.norm\.', '.downsample.1.'),
            *((rf'\.branch2{each}\.conv\.', f'.conv{i + 1}.') for i, each in enumerate('abc')),
            *((rf'\.branch2{each}\.norm\.', f'.bn{i + 1}.') for i, each in enumerate('abc')),
            (r'\.branch2b\.conv_offset\.', '.conv2.conv_offset.'),
            *(
                (rf'^neck\.fpn_inner_res{i + 2}_sum(_lateral)?\.', f'neck.lateral_convs.{i}.conv.')
                for i in range(4)
            ),
            *((rf'^neck\.fpn_res{i + 2}_sum\.', f'neck.fpn_convs.{i}.conv.') for i in range(4)),
            # The predicting convolutions stand twice in a file, under a name of either kind.
            (r'^mask_head\.(conv_pre_feat\d\.)?mask_feat_head\.', 'mask_head.mask_feature_head.'),
            (r'^mask_head\.mask_feature_head\.conv_pred\.0\.', 'mask_head.conv_pred.'),
            (r'^mask_head\.conv_pred\.', 'mask_head.mask_feature_head.conv_pred.'),
            (r'^solov2_head\.(bbox_head\.)?solo_cate\.', 'mask_head.conv_cls.'),
            (r'^solov2_head\.(bbox_head\.)?solo_kernel\.', 'mask_head.conv_kernel.'),
            (r'^solov2_head\.bbox_head\.cate_convs\.', 'mask_head.cls_convs.'),
            (r'^solov2_head\.bbox_head\.kernel_convs\.', 'mask_head.kernel_convs.'),
            (r'^(mask_head\..+\.conv\.)conv_dcn\.', r'\1'),
            (r'^(mask_head\..+\.)norm\.', r'\1gn.'),
        ),
    ),
    Layout(
        title="early mmcv's deformable convolutions",
        mark=r'\.\d+\.conv2?_offset\.',
        renames=((r'(\.\d+\.conv2?)_offset\.', r'\1.conv_offset.'),),
    ),
    Layout(
        title="mmdetection 2.x with mmcv's EMAHook",  # the averaged weights have the plain names
        mark=r'^ema_[^.]+$',
        renames=((r'^ema_[^.]+$', ''),),
    ),
)


def to_our_names(
    weights: Mapping[str, Tensor], *, source: str
) -> tuple[dict[str, Tensor], list[str]]:
    """Rename the parameters of every layout that is recognised.

    Args:
        weights: by the names that they have in a file.
        source: the file, for messages.

    Returns:
        The weights, and for each recognised layout its title and how many names changed.

    Raises:
        UserError: two names stand for one parameter, and not for the same values.
    """
    recognised = []
    for layout in LAYOUTS:
        if any(re.search(layout.mark, name) for name in weights):
            names = {name: _rename(name, layout) for name in weights}
            changed = sum(old != new for old, new in names.items())
            recognised.append(f'{layout.title}: {changed} of its {len(names)} names changed')
            weights = _renamed(weights, names, source)
    return dict(weights), recognised


def _renamed(
    weights: Mapping[str, Tensor], names: Mapping[str, str], source: str
) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for old, value in weights.items():
        new = names[old]
        if new in renamed and not torch.equal(renamed[new], value):
            raise UserError(f'{source} holds {new} twice, and as {old} it is not the same')
        if new:
            renamed[new] = value
    return renamed


def _rename(name: str, layout: Layout) -> str:
    for pattern, replacement in layout.renames:
        name = re.sub(pattern, replacement, name)
    return name


def unknown_names(names: Iterable[str]) -> list[str]:
    """Return the names that no SOLO of ours has."""
    return [name for name in names if not _OUR_NAMES.match(name)]


def known_layouts() -> str:
    """Return the titles of what can be read, for messages."""
    return ', '.join((OUR_TITLE, *(layout.title for layout in LAYOUTS)))
