"""Decoding, with a `draw` that looks masks up."""

import pytest
import torch

from mmdet.errors import UserError
from mmdet.models.postprocess import DecodeConfig, decode, find_candidates, maskness, point_nms

SIZE = (16, 16)
LOOSE = dict(score_thr=0.1, filter_thr=0.0)


def random_case(num_classes: int = 3, grids: tuple[int, ...] = (6, 4)):
    """Return scores of two levels, and the masks that their cells would draw."""
    scores = [torch.rand(num_classes, s, s) for s in grids]
    masks = [torch.rand(s * s, *SIZE) for s in grids]
    return scores, masks


def run(scores, masks, *, strides=(1, 1), **cfg):
    return decode(
        scores,
        lambda level, cells: masks[level][cells],
        strides=strides,
        mask_size=SIZE,
        img_shape=(64, 64),
        ori_shape=(64, 64),
        cfg=DecodeConfig(**{**LOOSE, **cfg}),
    )


def test_point_nms_keeps_the_highest_of_each_window():
    scores = torch.tensor([[[0.1, 0.9, 0.3], [0.5, 0.2, 0.4], [0.5, 0.6, 0.1]]])
    # A cell's window is itself, above, left, and above left.
    expected = torch.tensor([[[0.1, 0.9, 0.0], [0.5, 0.0, 0.0], [0.5, 0.6, 0.0]]])
    torch.testing.assert_close(point_nms(scores), expected)


def test_maskness_is_the_mean_inside():
    probabilities = torch.tensor([[[0.9, 0.7], [0.2, 0.5]], [[0.1, 0.1], [0.1, 0.1]]])
    masks, areas, sureness = maskness(probabilities, 0.5)
    assert masks[0].tolist() == [[True, True], [False, False]]
    assert areas.tolist() == [2, 0]
    torch.testing.assert_close(sureness, torch.tensor([0.8, 0.0]))


@pytest.mark.parametrize('chunk', [1, 3, 1000])
@pytest.mark.parametrize('nms_pre', [5, 50, -1, 0])
def test_chunks_change_nothing(monkeypatch, chunk, nms_pre):
    scores, masks = random_case()
    cfg = DecodeConfig(**LOOSE, nms_pre=nms_pre)

    def find():
        return find_candidates(
            scores,
            lambda level, cells: masks[level][cells],
            strides=(1, 1),
            mask_size=SIZE,
            cfg=cfg,
        )

    monkeypatch.setattr('mmdet.models.postprocess._PIXELS_AT_ONCE', 10**9)
    at_once = find()
    monkeypatch.setattr('mmdet.models.postprocess._PIXELS_AT_ONCE', chunk * SIZE[0] * SIZE[1])
    in_chunks = find()
    for name in ('scores', 'labels', 'levels', 'cells', 'masks'):
        assert torch.equal(getattr(at_once, name), getattr(in_chunks, name)), name


def test_on_a_device_masks_are_drawn_in_fewer_parts(other_device):
    """Each part is a wait for it."""
    size = (1024, 1024)

    def drawn_on(device: torch.device) -> list[int]:
        parts: list[int] = []

        def draw(level: int, cells: torch.Tensor) -> torch.Tensor:
            parts.append(len(cells))
            return torch.full((len(cells), *size), 0.8).to(device)

        scores = [torch.full((1, 3, 3), 0.5).to(device)]
        cfg = DecodeConfig(**LOOSE)
        find_candidates(scores, draw, strides=(1,), mask_size=size, cfg=cfg)
        return parts

    assert drawn_on(torch.device('cpu')) == [4, 4, 1]
    assert drawn_on(other_device) == [9]


def test_ties_are_broken_by_the_order_of_cells(monkeypatch):
    scores = [torch.full((1, 4, 4), 0.5), torch.full((1, 2, 2), 0.5)]
    masks = [torch.full((16, *SIZE), 0.8), torch.full((4, *SIZE), 0.8)]
    for chunk in (1, 1000):
        monkeypatch.setattr('mmdet.models.postprocess._PIXELS_AT_ONCE', chunk * SIZE[0] * SIZE[1])
        found = find_candidates(
            scores,
            lambda level, cells: masks[level][cells],
            strides=(1, 1),
            mask_size=SIZE,
            cfg=DecodeConfig(nms_pre=18),
        )
        assert found.cells.tolist() == [*range(16), 0, 1]
        assert found.levels.tolist() == [0] * 16 + [1] * 2


def test_no_more_masks_are_held_than_asked_for(monkeypatch):
    """Every cell scores in each of 50 classes: 2,600 candidates of 52 masks."""
    scores, masks = random_case(num_classes=50)
    scores = [torch.full_like(level, 0.5) for level in scores]
    drawn = []

    def draw(level, cells):
        drawn.append(len(cells))
        return masks[level][cells]

    monkeypatch.setattr('mmdet.models.postprocess._PIXELS_AT_ONCE', 4 * SIZE[0] * SIZE[1])
    found = find_candidates(
        scores, draw, strides=(1, 1), mask_size=SIZE, cfg=DecodeConfig(nms_pre=20)
    )
    assert len(found.masks) == 20
    assert max(drawn) == 4
    assert sum(drawn) == 52


def test_small_masks_drop_out():
    scores, masks = [torch.full((1, 1, 1), 0.9)], [torch.zeros(1, *SIZE)]
    masks[0][0, 0, :4] = 1
    assert len(run(scores, masks, strides=(4,)).scores) == 0
    assert len(run(scores, masks, strides=(3,)).scores) == 1


def test_results_are_sorted_limited_and_above_the_threshold():
    scores, masks = random_case()
    found = run(scores, masks, max_per_img=7)
    assert len(found.scores) == 7
    assert (found.scores.diff() <= 0).all()
    everything = run(scores, masks, max_per_img=-1)
    threshold = everything.scores.median().item()
    filtered = run(scores, masks, max_per_img=-1, filter_thr=threshold)
    assert filtered.scores.tolist() == [s for s in everything.scores.tolist() if s >= threshold]


def test_masks_belong_to_their_scores():
    """One distinct mask for each class: the label tells which one must come out."""
    scores = [torch.zeros(2, 2, 2)]
    scores[0][0, 0, 0], scores[0][1, 1, 1] = 0.6, 0.8
    masks = [torch.zeros(4, *SIZE)]
    masks[0][0, :8], masks[0][3, :, :4] = 1, 1
    found = run(scores, masks)
    assert found.labels.tolist() == [1, 0]
    bitmaps = found.masks.to_ndarray()
    assert bitmaps[0, :, :12].all() and not bitmaps[0, :, 20:].any()
    assert bitmaps[1, :28].all() and not bitmaps[1, 36:].any()


def test_nothing_found():
    scores, masks = random_case()
    found = run([level * 0 for level in scores], masks)
    assert len(found) == 0
    assert found.masks.to_ndarray().shape == (0, 64, 64)
    assert found.labels.dtype == torch.long


@pytest.mark.parametrize(
    ('settings', 'complaint'),
    [
        (dict(kernel='gausian'), "no kernel='gausian', only 'gaussian' and 'linear'"),
        (dict(sigma=0), 'sigma=0 '),
        (dict(sigma=float('nan')), 'sigma=nan '),
        (dict(sigma='2.0'), "sigma='2.0' "),
        (dict(score_thr=-0.1), 'score_thr=-0.1 '),
        (dict(mask_thr=1.5), 'mask_thr=1.5 '),
        (dict(filter_thr=None), 'filter_thr=None '),
        (dict(nms_pre=500.0), 'nms_pre=500.0 '),
        (dict(nms_pre=True), 'nms_pre=True '),
        (dict(max_per_img=-2), 'max_per_img=-2 .*-1 for all'),
        (dict(max_per_img='100'), "max_per_img='100' "),
    ],
)
def test_settings_are_checked(settings, complaint):
    with pytest.raises(UserError, match=complaint):
        DecodeConfig(**settings)


def test_settings_at_the_ends_of_their_ranges():
    DecodeConfig(nms_pre=-1, score_thr=0, mask_thr=1, filter_thr=0.0, sigma=1e-3, max_per_img=-1)
    DecodeConfig(nms_pre=1, kernel='linear', max_per_img=1)
