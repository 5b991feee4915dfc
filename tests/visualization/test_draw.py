import numpy as np

from mmdet.visualization import draw_instances
from tests.samples import rectangle

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)


def test_masks_are_tinted_and_nothing_else_is():
    image = np.full((60, 80, 3), 100, np.uint8)
    mask = rectangle(60, 80, (10, 10, 40, 30))
    drawn = draw_instances(image, mask[None], [''], [RED], alpha=0.5)
    inner = rectangle(60, 80, (11, 11, 39, 29)).astype(bool)  # within the outline
    assert (drawn[inner] == [178, 50, 50]).all()
    assert (drawn[mask.astype(bool) & ~inner] == RED).all()
    assert (drawn[~mask.astype(bool)] == 100).all()
    assert (image == 100).all()


def test_the_outline_has_the_width_that_is_asked_for():
    image = np.zeros((60, 80, 3), np.uint8)
    mask = rectangle(60, 80, (10, 10, 40, 30))[None]
    thin, thick = (
        (draw_instances(image, mask, [''], [RED], alpha=0, line_width=width) == RED).all(-1).sum()
        for width in (1, 5)
    )
    assert thin == 2 * (30 + 20) - 4
    assert 4 * thin < thick < 8 * thin


def test_later_masks_are_above():
    image = np.zeros((60, 80, 3), np.uint8)
    masks = np.stack([rectangle(60, 80, (0, 0, 80, 60))] * 2)
    drawn = draw_instances(image, masks, ['', ''], [RED, BLUE], alpha=1.0)
    assert (drawn == BLUE).all()


def test_captions_are_written_in_the_middle_of_their_masks():
    image = np.zeros((120, 160, 3), np.uint8)
    masks = rectangle(120, 160, (80, 20, 160, 60))[None]
    plain = draw_instances(image, masks, [''], [RED])
    for colors, channel in ((None, 1), ([GREEN], 1), ([BLUE], 2)):
        captioned = draw_instances(image, masks, ['name'], [RED], text_colors=colors)
        changed = (captioned != plain).any(-1)
        rows, columns = changed.nonzero()
        assert abs(rows.mean() - 40) < 8 and abs(columns.mean() - 120) < 8
        assert captioned[changed][:, channel].max() > 200  # red and its shades have none of it
        assert (captioned[~changed] == plain[~changed]).all()


def test_boxes_surround_their_masks_where_asked_for():
    image = np.zeros((60, 80, 3), np.uint8)
    disc = (np.hypot(*np.ogrid[-30:30, -40:40]) < 15).astype(np.uint8)
    empty = np.zeros_like(disc)
    plain = draw_instances(image, disc[None], [''], [RED])
    boxed = draw_instances(image, np.stack([disc, empty]), ['', ''], [RED, RED])
    assert (boxed == plain).all()
    boxed = draw_instances(
        image, np.stack([disc, empty]), ['', ''], [RED, RED], box_colors=[BLUE, GREEN]
    )
    rows, columns = (boxed == BLUE).all(-1).nonzero()
    mask_rows, mask_columns = disc.nonzero()
    assert (rows.min(), rows.max()) == (mask_rows.min(), mask_rows.max())
    assert (columns.min(), columns.max()) == (mask_columns.min(), mask_columns.max())
    assert not (boxed == GREEN).all(-1).any()


def test_no_instances_and_an_empty_mask():
    image = np.full((60, 80, 3), 7, np.uint8)
    assert (draw_instances(image, np.zeros((0, 60, 80)), [], []) == 7).all()
    assert (draw_instances(image, np.zeros((1, 60, 80)), ['x'], [RED]) == 7).all()
