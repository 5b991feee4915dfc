"""The mask branch runs for the images of which a mask is wanted, level by level, and no others."""

import pytest
import torch
from torch import nn

from tests.samples import HEADS, sample_of

TOWERS = {
    'solo': ['mask_convs'],
    'decoupled': ['mask_convs_x', 'mask_convs_y'],
    'decoupled-light': ['mask_convs'],
    'solov2': ['kernel_convs'],
}


@pytest.fixture
def passes(kind, build_head):
    """A head and, for each run of its first mask tower, the size of what it was given."""
    head = build_head(kind, test_cfg=dict(score_thr=0.1))
    sizes = []
    tower = getattr(head, TOWERS[kind][0])
    tower[0].register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape)))
    return head, sizes


def one_small_one_empty():
    """The object is one of the two finest levels'."""
    return [sample_of([]), sample_of([(8, 8, 72, 72)])]


@pytest.mark.parametrize('kind', TOWERS)
def test_training_runs_it_for_images_with_a_claim(kind, passes, feats):
    head, sizes = passes
    targets = head.targets(one_small_one_empty())
    wanted = [len(claims.images) for claims in targets.learnt]
    assert wanted == [1, 1, 0, 0, 0]
    head.loss(feats, one_small_one_empty(), targets)
    assert [size[0] for size in sizes] == [1] * 5
    # A pixel stands for an image where none is wanted.
    assert [size[2:] == (1, 1) for size in sizes] == [False, False, True, True, True]


@pytest.mark.parametrize('kind', TOWERS)
def test_losses_and_gradients_are_those_of_running_it_for_all(kind, build_head, feats):
    results = []
    for everything in (False, True):
        torch.manual_seed(0)
        head = build_head(kind)
        if everything:
            head.mixes_images = lambda: True
        inputs = [level.clone().requires_grad_() for level in feats]
        losses = head.loss(inputs, one_small_one_empty())
        assert losses['loss_mask'] > 0
        sum(losses.values()).backward()
        gradients = {name: parameter.grad for name, parameter in head.named_parameters()}
        results.append((losses, gradients, [level.grad for level in inputs]))
    torch.testing.assert_close(*results)


def test_with_a_batch_norm_it_runs_for_all_in_training(build_head, feats):
    """Whose statistics are those of all images."""
    head = build_head('solo', norm_cfg=dict(type='BN'))
    runs = []
    head.mask_convs.register_forward_pre_hook(lambda _, inputs: runs.append(len(inputs[0])))
    head.train().loss(feats, one_small_one_empty())
    assert runs == [2] * 5
    runs.clear()
    head.eval().loss(feats, one_small_one_empty())
    assert runs == [1] * 5


@pytest.mark.parametrize('kind', TOWERS)
def test_inference_runs_it_for_levels_where_a_cell_scores(kind, passes, feats):
    head, sizes = passes
    head.eval()
    samples = one_small_one_empty()
    for sample in samples:
        sample.set_metainfo(dict(img_shape=(96, 128), ori_shape=(96, 128)))
    _score_in(head, [])
    with torch.no_grad():
        assert [len(found) for found in head.predict(feats, samples)] == [0, 0]
    assert not sizes
    _score_in(head, [1, 3])
    with torch.no_grad():
        head.predict(feats, samples)
    assert [size[0] for size in sizes] == [1] * 4  # two levels of two images, each once
    assert len(sizes) == len(set(sizes)) * 2 or kind == 'solov2'


def _score_in(head: nn.Module, levels: list[int]) -> None:
    """Let every cell of these levels score, and no other."""

    def classify(feats: list[torch.Tensor]) -> list[torch.Tensor]:
        return [
            feature.new_full(
                (len(feature), head.num_classes, num_grid, num_grid),
                4.0 if level in levels else -9.0,
            )
            for level, (feature, num_grid) in enumerate(zip(feats, head.num_grids, strict=True))
        ]

    head.classify = classify


def test_every_kind_is_looked_at():
    assert {kind.removesuffix('-dcn') for kind in HEADS} == set(TOWERS)
