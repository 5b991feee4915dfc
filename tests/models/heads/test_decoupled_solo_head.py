import gc
import weakref
from collections import Counter

import pytest
import torch
import torch.nn.functional as F

from mmdet.errors import UserError
from mmdet.models.heads.lines import draw_lines
from tests.samples import sample_of


@pytest.mark.parametrize('kind', ['decoupled', 'decoupled-light'])
def test_a_mask_is_its_columns_map_times_its_rows(kind, build_head, feats):
    head = build_head(kind)
    outputs = head(feats)
    level, row, column = 1, 6, 2
    cell = torch.tensor([row * head.num_grids[level] + column])
    x, y = head.cell_masks(head.source(outputs, level, [1]), level, [cell])
    columns, rows = (torch.stack(part) for part in head.source(outputs, level, [0, 1]))
    doubled = [F.interpolate(part, scale_factor=2, mode='bilinear') for part in (columns, rows)]
    expected_x = head.conv_mask_list_x[level](doubled[0])[1, column]
    expected_y = head.conv_mask_list_y[level](doubled[1])[1, row]
    torch.testing.assert_close(x[0], expected_x, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(y[0], expected_y, atol=1e-4, rtol=1e-4)
    probability = head.cell_probabilities(outputs, 1, level, cell)
    sizes = outputs.mask_size
    separately = [
        F.interpolate(part.sigmoid()[None, None], size=sizes, mode='bilinear')
        for part in (expected_x, expected_y)
    ]
    torch.testing.assert_close(
        probability, (separately[0] * separately[1])[0], atol=1e-4, rtol=1e-4
    )


def test_a_loss_that_would_activate_twice_is_refused(build_head):
    with pytest.raises(UserError, match='activate=False in loss_mask'):
        build_head('decoupled', loss_mask=dict(type='DiceLoss', activate=True))


@pytest.mark.parametrize('kind', ['decoupled', 'decoupled-light'])
def test_each_line_is_drawn_once_an_image(kind, build_head, feats, monkeypatch):
    """For all candidates, which are looked at chunk by chunk, and for those that are kept."""
    drawn = Counter()

    def draw(conv, features, lines):
        (lines,) = lines
        drawn.update((id(conv), features[0].data_ptr(), line) for line in lines.tolist())
        return draw_lines(conv, features, lines=[lines])

    monkeypatch.setattr('mmdet.models.heads.decoupled_solo_head.draw_lines', draw)
    monkeypatch.setattr('mmdet.models.postprocess._PIXELS_AT_ONCE', 10 * 24 * 32)
    head = build_head(kind, test_cfg=dict(score_thr=0.1)).eval()
    samples = [sample_of([]) for _ in range(2)]
    outputs = head(feats)
    cells = sum((pred.sigmoid() > 0.1).any(1).sum() for pred in outputs.cls_preds)
    with torch.no_grad():
        found = head.predict(feats, samples)
    assert all(len(each) for each in found)
    assert set(drawn.values()) == {1}
    assert len(drawn) <= 2 * 2 * sum(head.num_grids) < cells


def test_nothing_is_left_of_an_image_that_was_drawn(head, feats):
    outputs = head(feats)
    alive = weakref.ref(outputs)
    head.cell_probabilities(outputs, 0, 1, torch.tensor([0, 3]))
    gc.disable()
    try:
        del outputs
        assert alive() is None
    finally:
        gc.enable()
