import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from mmdet.errors import UserError
from mmdet.structures import BitmapMasks, DetDataSample, RLEMasks
from mmdet.visualization import DetLocalVisualizer
from tests.samples import rectangle, sample_of

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)
TRUTH, FOUND = (8, 8, 40, 40), (60, 50, 100, 90)


def sample_with_prediction(scale: int = 1) -> DetDataSample:
    """One instance in the upper left, annotated at `scale`; one found in the lower right."""
    box = tuple(scale * side for side in TRUTH)
    sample = sample_of([box], shape=(96 * scale, 128 * scale))
    sample.set_metainfo(dict(ori_shape=(96, 128)))
    rles = coco_mask.encode(np.asfortranarray(rectangle(96, 128, FOUND)[..., None]))
    sample.pred_instances = InstanceData(
        scores=torch.tensor([0.9, 0.1]),
        labels=torch.tensor([1, 0]),
        masks=RLEMasks([*rles, *rles], 96, 128),
    )
    return sample


def picture_of(
    sample: DetDataSample | None, meta: dict | None = None, **settings: object
) -> np.ndarray:
    """Draw into a black image."""
    arguments = {key: settings.pop(key) for key in ('draw_gt', 'draw_pred') if key in settings}
    visualizer = DetLocalVisualizer(**settings)
    visualizer.dataset_meta = (
        dict(classes=('a', 'b'), palette=[RED, BLUE]) if meta is None else meta
    )
    visualizer.add_datasample('a', np.zeros((96, 128, 3), np.uint8), sample, **arguments)
    return visualizer.get_image()


def is_within(pixels: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    """Whether (h, w) booleans fill a box, and nothing outside of it."""
    return bool((pixels == rectangle(*pixels.shape, box).astype(bool)).all())


@pytest.mark.parametrize('scale', [1, 2], ids=['annotations as in the file', 'and resized'])
def test_annotation_and_prediction_side_by_side(tmp_path, scale):
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = dict(classes=('a', 'b'))
    out = tmp_path / 'new' / 'a.png'
    image = np.zeros((96, 128, 3), np.uint8)
    sample = sample_with_prediction(scale)
    visualizer.add_datasample('a', image, sample, out_file=str(out), pred_score_thr=0.3)
    picture = cv2.imread(str(out))
    assert picture.shape == (96, 256, 3)
    assert is_within(picture[:, :128].any(-1), TRUTH)
    assert is_within(picture[:, 128:].any(-1), FOUND)
    assert (visualizer.get_image() == picture[..., ::-1]).all()


def test_samples_on_another_device(other_device):
    sample = sample_with_prediction()
    expected = picture_of(sample)
    assert expected.any()
    there = sample.to(other_device)
    assert there.gt_instances.masks.bits.device == other_device
    assert (picture_of(there) == expected).all()


def test_one_panel_where_one_is_asked_for():
    sample = sample_with_prediction()
    assert is_within(picture_of(sample, draw_pred=False).any(-1), TRUTH)
    assert is_within(picture_of(sample, draw_gt=False).any(-1), FOUND)
    assert picture_of(sample, draw_gt=False, draw_pred=False).shape == (96, 128, 3)
    assert not picture_of(None).any()


@pytest.mark.parametrize('kind', ['bitmaps', 'tensor', 'array'])
def test_masks_of_every_kind(kind):
    sample = sample_with_prediction()
    expected = picture_of(sample)
    bitmaps = rectangle(96, 128, TRUTH)[None]
    sample.gt_instances.masks = dict(
        bitmaps=BitmapMasks(bitmaps, 96, 128), tensor=torch.tensor(bitmaps), array=bitmaps
    )[kind]
    if kind == 'bitmaps':
        sample.gt_instances.pop('bboxes')
    assert (picture_of(sample) == expected).all()


def test_the_best_of_two_that_overlap_is_above():
    sample = sample_with_prediction()
    x1, y1, x2, y2 = FOUND
    second = (x1 + 20, y1, x2 + 20, y2)
    bitmaps = np.stack([rectangle(96, 128, box) for box in (FOUND, second)])
    sample.pred_instances = InstanceData(
        scores=torch.tensor([0.9, 0.8]), labels=torch.tensor([1, 0]), masks=bitmaps
    )
    picture = picture_of(sample, draw_gt=False, alpha=1.0)
    for x, color in ((62, BLUE), (98, BLUE), (102, RED)):
        assert picture[52, x].tolist() == list(color)


def test_classes_have_the_colours_of_the_data_set():
    picture = picture_of(sample_with_prediction(), alpha=1.0)
    assert picture[10, 10].tolist() == list(RED)
    assert picture[52, 128 + 62].tolist() == list(BLUE)
    with pytest.raises(UserError, match='1 colours are too few for 2 classes'):
        picture_of(sample_with_prediction(), dict(classes=('a', 'b'), palette=[RED]))


def test_without_classes_their_numbers_are_written():
    sample = sample_with_prediction()
    named = picture_of(sample, dict(classes=('class 0', 'class 1')))
    assert (picture_of(sample, {}) == named).all()
    assert (picture_of(sample, dict(classes=('x', 'y'))) != named).any()


def test_every_process_draws_alike(tmp_path, monkeypatch):
    """mmengine tells the classes to the first alone."""
    pictures = []
    for is_first in (True, False):
        monkeypatch.setattr(
            'mmengine.dist.utils.is_main_process', lambda is_first=is_first: is_first
        )
        visualizer = DetLocalVisualizer()
        visualizer.dataset_meta = dict(classes=('a', 'b'), palette=[RED, BLUE])
        path = str(tmp_path / f'{is_first}.png')
        image = np.zeros((96, 128, 3), np.uint8)
        visualizer.add_datasample('a', image, sample_with_prediction(), out_file=path)
        pictures.append(cv2.imread(path))
    assert (pictures[0] == pictures[1]).all()


def test_a_full_disk_is_an_error(small_disk):
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    with pytest.raises(OSError, match='No space left'):
        DetLocalVisualizer().add_datasample('a', noise, out_file=str(small_disk / 'a.png'))
    assert not list(small_disk.iterdir())


def test_settings_change_the_picture():
    sample = sample_with_prediction()
    plain = picture_of(sample, draw_pred=False)
    assert plain[10, 10].tolist() == [round(0.45 * 255), 0, 0]
    of_mask = picture_of(sample, draw_pred=False, mask_color=GREEN, alpha=0.2)
    assert of_mask[10, 10].tolist() == [0, 51, 0]
    boxed = picture_of(sample, draw_pred=False, bbox_color='blue')
    assert boxed[8, 8].tolist() == boxed[39, 39].tolist() == list(BLUE)
    thick = picture_of(sample, draw_pred=False, line_width=5)
    assert thick[10, 10].tolist() == list(RED)
    text = picture_of(sample, draw_pred=False, text_color=GREEN)
    changed = (text != plain).any(-1)
    assert changed.any() and not text[..., 2].any()  # white is gone
    with pytest.raises(UserError, match="no colour 'reed'"):
        DetLocalVisualizer(bbox_color='reed')


def test_pictures_go_to_the_backends_the_file_or_the_window(tmp_path, monkeypatch):
    shown = []

    def show(self: DetLocalVisualizer, picture: np.ndarray, win_name: str, wait_time: float):
        shown.append((picture, win_name, wait_time))

    monkeypatch.setattr(DetLocalVisualizer, 'show', show)
    visualizer = DetLocalVisualizer(
        vis_backends=[dict(type='LocalVisBackend')], save_dir=str(tmp_path)
    )
    image = np.full((20, 30, 3), 300.0)  # not every pipeline's image is uint8

    def pictures() -> list[str]:
        return sorted(path.name for path in tmp_path.rglob('*.png'))

    visualizer.add_datasample('one', image, step=3)
    assert pictures() == ['one_3.png']
    visualizer.add_datasample('two', image, out_file=str(tmp_path / 'two.png'))
    assert pictures() == ['one_3.png', 'two.png']
    assert (cv2.imread(str(tmp_path / 'two.png')) == 255).all()
    assert not shown
    visualizer.add_datasample('three', image, show=True, wait_time=2)
    ((picture, *more),) = shown
    assert more == ['three', 2] and (picture == 255).all()
    assert pictures() == ['one_3.png', 'two.png']
