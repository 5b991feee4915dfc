"""Write the reference cases beside this file: what mmdetection 3.3.0 computes.

Run it with a Python that has mmdetection in the place of this project, as both are called `mmdet`:

    python -m venv PEER
    PEER/bin/pip install torch torchvision mmengine==0.10.7 mmcv==2.1.0 mmdet==3.3.0
    PEER/bin/python tests/models/heads/reference/make.py

mmcv 2.1.0 has compiled ops, for old versions of torch only. SOLO without deformable convolutions
calls none of them: with `mmcv-lite` in its place, `--shim FILE` runs a Python file first that makes
mmdetection importable without them (empty modules for `mmcv.ops`, an mmcv version below 2.2).

A case is a pair of files. `CASE.json` has the `model`'s config; `parameters`, the names and shapes
that its weights follow from (`weights.py`); `images`; `losses` of a training step and
`losses_without_instances` of one with the second image alone; `grad_norms`; `predictions`.
`CASE.npz` has images and annotations, `fpn{level}_mean_abs` and `_corner`, and
`positives_img_level_cell_label_area`: a row for each mask that is learnt, with its target's area.
"""

import argparse
import copy
import json
import runpy
from pathlib import Path

import numpy as np
import torch
from scene import NUM_CLASSES, NUM_GRIDS, SCALE_RANGES, Scene, scenes
from weights import fill

GROUP_NORM = dict(type='GN', num_groups=4, requires_grad=True)
DICE = dict(type='DiceLoss', use_sigmoid=True, loss_weight=3.0)
MASK_FEATURE_HEAD = dict(
    feat_channels=8,
    start_level=0,
    end_level=3,
    out_channels=12,
    mask_stride=4,
    norm_cfg=GROUP_NORM,
)
# For each case the type of the model, and what its head and its test_cfg have of their own.
CASES = {
    'solo': ('SOLO', dict(type='SOLOHead', stacked_convs=2, pos_scale=0.6, cls_down_index=1), {}),
    'decoupled_solo': (
        'SOLO',
        dict(type='DecoupledSOLOHead', loss_mask=dict(DICE, activate=False)),
        # Products of two probabilities are small.
        dict(mask_thr=0.3, kernel='linear'),
    ),
    'decoupled_solo_light': (
        'SOLO',
        dict(type='DecoupledSOLOLightHead', stacked_convs=2, loss_mask=dict(DICE, activate=False)),
        dict(mask_thr=0.3),
    ),
    'solov2': (
        'SOLOv2',
        dict(type='SOLOV2Head', stacked_convs=2, mask_feature_head=MASK_FEATURE_HEAD),
        dict(nms_pre=20),
    ),
    'solov2_light': (
        'SOLOv2',
        dict(
            type='SOLOV2Head',
            feat_channels=8,
            pos_scale=0.6,
            mask_feature_head=dict(MASK_FEATURE_HEAD, start_level=1, end_level=2, out_channels=16),
        ),
        {},
    ),
}


def model_config(case: str) -> dict:
    """Return the config of a case's model, which both sides build."""
    kind, head, test_cfg = CASES[case]
    return dict(
        type=kind,
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_mask=True,
            pad_size_divisor=32,
        ),
        backbone=dict(type='ResNet', depth=18, base_channels=8, frozen_stages=1, init_cfg=None),
        neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=16, num_outs=5),
        mask_head={
            'num_classes': NUM_CLASSES,
            'in_channels': 16,
            'feat_channels': 16,
            'stacked_convs': 1,
            'strides': [8, 8, 16, 32, 32],
            'scale_ranges': SCALE_RANGES,
            'num_grids': NUM_GRIDS,
            'norm_cfg': GROUP_NORM,
            'loss_mask': DICE,
            **head,
        },
        test_cfg={
            'nms_pre': 60,
            'score_thr': 0.2,
            'mask_thr': 0.5,
            'filter_thr': 0.05,
            'kernel': 'gaussian',
            'sigma': 2.0,
            'max_per_img': 12,
            **test_cfg,
        },
    )


def batch_of(chosen: list[Scene]) -> dict:
    """Return what mmdetection's data loader would for some scenes."""
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData

    from mmdet.structures import DetDataSample

    samples = []
    for scene in chosen:
        shape = scene.image.shape[1:]
        sample = DetDataSample(metainfo=dict(img_shape=shape, ori_shape=scene.ori_shape))
        sample.gt_instances = InstanceData(
            masks=BitmapMasks(scene.masks, *shape),
            labels=torch.from_numpy(scene.labels),
            bboxes=torch.from_numpy(scene.bboxes),
        )
        samples.append(sample)
    return dict(inputs=[torch.from_numpy(s.image) for s in chosen], data_samples=samples)


def positives_of(head: torch.nn.Module, targets: list[tuple]) -> list[list[int]]:
    """Return a row for each mask term from what a head's `_get_targets_single` returned."""
    rows = []
    for image, (masks, labels, *more) in enumerate(targets):
        for level, label in enumerate(labels):
            flat = label.flatten()
            if type(head).__name__ == 'SOLOV2Head':  # one cell for each mask, perhaps repeated
                cells = [int(cell) for cell in more[1][level]]
            else:
                cells = (flat != head.num_classes).nonzero()[:, 0].tolist()
            for cell, mask in zip(cells, masks[level], strict=True):
                rows.append([image, level, cell, int(flat[cell]), int(mask.sum())])
    return rows


def run(case: str) -> tuple[dict, dict]:
    """Return a case's JSON and its arrays."""
    from mmengine.config import ConfigDict
    from pycocotools import mask as coco_mask

    from mmdet.registry import MODELS

    config = model_config(case)
    # mmdetection writes into the config it is given.
    model = MODELS.build(ConfigDict(copy.deepcopy(config)))
    state = model.state_dict()
    fill(state)
    chosen = scenes()
    arrays = {}
    for index, scene in enumerate(chosen):
        arrays[f'img{index}_uint8_bgr'] = scene.image
        flat = scene.masks.reshape(len(scene.masks), scene.image[0].size)
        arrays[f'img{index}_gt_masks_packed'] = np.packbits(flat, axis=1)
        arrays[f'img{index}_gt_labels'] = scene.labels
        arrays[f'img{index}_gt_bboxes'] = scene.bboxes

    model.eval()
    data = model.data_preprocessor(batch_of(chosen), True)
    arrays['batch_shape'] = np.array(data['inputs'].shape)
    with torch.no_grad():
        for level, feature in enumerate(model.extract_feat(data['inputs'])):
            arrays[f'fpn{level}_mean_abs'] = feature.abs().mean().numpy()
            arrays[f'fpn{level}_corner'] = feature[:, :4, :3, :3].numpy()
        predictions = []
        for result in model(**data, mode='predict'):
            found = result.pred_instances
            masks = np.asfortranarray(found.masks.numpy().astype(np.uint8).transpose(1, 2, 0))
            rles = [
                dict(size=rle['size'], counts=rle['counts'].decode())
                for rle in coco_mask.encode(masks)
            ]
            scores = [round(score, 7) for score in found.scores.tolist()]
            predictions.append(dict(scores=scores, labels=found.labels.tolist(), rles=rles))

    model.train().double()
    head = model.mask_head
    of_image, targets = head._get_targets_single, []

    def recorded(*args, **more):
        targets.append(of_image(*args, **more))
        return targets[-1]

    head._get_targets_single = recorded
    losses = losses_of(model, chosen)
    sum(losses.values()).backward()
    head._get_targets_single = of_image
    arrays['positives_img_level_cell_label_area'] = np.array(positives_of(head, targets))
    summary = dict(
        case=case,
        source=f'mmdet 3.3.0, torch {torch.__version__}, CPU; losses and gradients in float64',
        model=config,
        images=[
            dict(img_shape=scene.image.shape[1:], ori_shape=scene.ori_shape) for scene in chosen
        ],
        losses={name: loss.item() for name, loss in losses.items()},
        losses_without_instances={
            name: loss.item() for name, loss in losses_of(model, chosen[1:2]).items()
        },
        parameters={name: list(tensor.shape) for name, tensor in state.items()},
        grad_norms={
            name: parameter.grad.norm().item()
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        },
        predictions=predictions,
    )
    return summary, arrays


def losses_of(model: torch.nn.Module, chosen: list[Scene]) -> dict[str, torch.Tensor]:
    """Return the losses of a training step on some scenes, by name."""
    data = model.data_preprocessor(batch_of(chosen), True)
    data['inputs'] = data['inputs'].double()
    return model(**data, mode='loss')


def main() -> None:
    """Write every case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--shim', help='a Python file to run before mmdetection is imported')
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.shim:
        runpy.run_path(args.shim)
    from mmengine.registry import init_default_scope

    import mmdet.models  # noqa: F401  (registers)

    init_default_scope('mmdet')
    folder = Path(__file__).parent
    for case in CASES:
        summary, arrays = run(case)
        lines = (f'{json.dumps(key)}: {json.dumps(value)}' for key, value in summary.items())
        (folder / f'{case}.json').write_text('{\n' + ',\n'.join(lines) + '\n}\n')
        np.savez_compressed(folder / f'{case}.npz', **arrays)
        found = [len(image['scores']) for image in summary['predictions']]
        print(case, summary['losses'], len(arrays['positives_img_level_cell_label_area']), found)


if __name__ == '__main__':
    main()
