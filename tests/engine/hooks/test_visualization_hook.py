from pathlib import Path
from types import SimpleNamespace

import cv2
import matplotlib
import numpy as np
import pytest
import torch
from mmengine.fileio import LocalBackend, register_backend
from mmengine.structures import InstanceData
from PIL import Image
from pycocotools import mask as coco_mask

from mmdet.engine.hooks import DetVisualizationHook
from mmdet.engine.hooks.visualization_hook import common_folder, picture_name
from mmdet.errors import UserError
from mmdet.structures import DetDataSample, RLEMasks
from mmdet.visualization import DetLocalVisualizer, window
from tests.samples import rectangle, sample_of

BOX = (5, 3, 25, 13)
ORIENTATION = 0x0112  # EXIF's number for it
QUARTER_TURN = 6


class Images:
    """A data set of grey images, as far as the hook asks."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.paths = [str(folder / name) for name in names]
        for value, path in enumerate(self.paths, start=1):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(path, np.full((20, 30, 3), 10 * value, np.uint8))

    def __len__(self) -> int:
        return len(self.paths)

    def get_data_info(self, index: int) -> dict:
        return dict(img_path=self.paths[index])

    def samples(self) -> list[DetDataSample]:
        samples = []
        for path in self.paths:
            sample = sample_of([BOX], shape=(20, 30))
            sample.set_metainfo(dict(img_path=path))
            rles = coco_mask.encode(np.asfortranarray(rectangle(20, 30, BOX)[..., None]))
            sample.pred_instances = InstanceData(
                scores=torch.tensor([0.9]), labels=torch.tensor([0]), masks=RLEMasks(rles, 20, 30)
            )
            samples.append(sample)
        return samples


def runner_of(dataset: Images, work_dir: Path) -> SimpleNamespace:
    visualizer = DetLocalVisualizer(
        vis_backends=[dict(type='LocalVisBackend')], save_dir=str(work_dir)
    )
    visualizer.dataset_meta = dict(classes=('a',))
    loader = SimpleNamespace(dataset=dataset)
    return SimpleNamespace(
        visualizer=visualizer,
        work_dir=str(work_dir),
        timestamp='now',
        iter=100,
        val_dataloader=loader,
        test_dataloader=loader,
    )


def run_test(hook: DetVisualizationHook, runner: SimpleNamespace, samples: list) -> None:
    hook.before_test(runner)
    for index, sample in enumerate(samples):
        hook.after_test_iter(runner, index, {}, [sample])


def pictures(folder: Path) -> list[str]:
    found = (path for path in folder.rglob('*') if path.is_file())
    return sorted(str(path.relative_to(folder)) for path in found)


@pytest.fixture
def images(tmp_path) -> Images:
    return Images(tmp_path / 'images', ['a/1.png', 'b/1.png', 'b/2.png'])


def test_images_of_one_name_keep_their_pictures_apart(images, tmp_path):
    out = tmp_path / 'out'
    hook = DetVisualizationHook(draw=True, test_out_dir=str(out))
    run_test(hook, runner_of(images, tmp_path / 'work'), images.samples())
    assert pictures(out) == ['a/1.png', 'b/1.png', 'b/2.png']
    for value, name in enumerate(pictures(out), start=1):
        picture = cv2.imread(str(out / name))
        assert picture.shape == (20, 60, 3)
        assert (picture[-4:] == 10 * value).all()  # below the box and its caption
        for panel in (picture[:, :30], picture[:, 30:]):
            assert (panel[3:13, 5:25] != 10 * value).any(-1).all()


def test_a_relative_folder_is_below_the_work_directory(images, tmp_path):
    hook = DetVisualizationHook(draw=True, test_out_dir='vis')
    run_test(hook, runner_of(images, tmp_path / 'work'), images.samples()[:1])
    assert pictures(tmp_path / 'work') == ['now/vis/a/1.png']


def test_samples_on_another_device_are_drawn(images, tmp_path, other_device):
    """Annotated and predicted masks, as a model on a GPU leaves them."""
    hook = DetVisualizationHook(draw=True, test_out_dir=str(tmp_path / 'there'))
    runner = runner_of(images, tmp_path / 'work')
    samples = [sample.to(other_device) for sample in images.samples()]
    assert samples[0].gt_instances.masks.bits.device == other_device
    run_test(hook, runner, samples)
    hook = DetVisualizationHook(draw=True, test_out_dir=str(tmp_path / 'here'))
    run_test(hook, runner, images.samples())
    for name in pictures(tmp_path / 'here'):
        ours, theirs = (cv2.imread(str(tmp_path / place / name)) for place in ('here', 'there'))
        assert (ours == theirs).all()


def test_a_limit_and_scores(images, tmp_path):
    hook = DetVisualizationHook(
        draw=True, test_out_dir=str(tmp_path / 'out'), test_limit=2, score_thr=0.95
    )
    run_test(hook, runner_of(images, tmp_path / 'work'), images.samples())
    assert pictures(tmp_path / 'out') == ['a/1.png', 'b/1.png']
    picture = cv2.imread(str(tmp_path / 'out' / 'a/1.png'))
    assert (picture[:, 30:] == 10).all()  # the prediction's panel


def test_without_a_folder_pictures_go_to_the_backends(images, tmp_path):
    runner = runner_of(images, tmp_path)
    run_test(DetVisualizationHook(draw=True), runner, images.samples())
    assert pictures(tmp_path / 'vis_data') == [
        f'vis_image/test_{name}.png' for name in ('a_1_1', 'b_1_2', 'b_2_3')
    ]


def test_validation_draws_the_first_image_of_every_so_many_batches(images, tmp_path):
    runner = runner_of(images, tmp_path)
    hook = DetVisualizationHook(draw=True, interval=2)
    hook.before_val(runner)
    first, second, third = images.samples()
    for index, batch in enumerate(([first, second], [second], [third])):
        hook.after_val_iter(runner, index, {}, batch)
    names = ['vis_image/val_a_1_100.png', 'vis_image/val_b_2_102.png']
    assert pictures(tmp_path / 'vis_data') == names


def test_nothing_is_drawn_unless_asked_for(images, tmp_path):
    runner = runner_of(images, tmp_path)
    # Nor is a window looked for.
    hook = DetVisualizationHook(show=True, test_out_dir=str(tmp_path / 'out'))
    run_test(hook, runner, images.samples())
    hook.before_val(runner)
    hook.after_val_iter(runner, 0, {}, images.samples())
    assert not (tmp_path / 'out').exists() and not (tmp_path / 'vis_data').exists()


@pytest.mark.parametrize(
    ('annotated', 'turned'), [((20, 30), False), ((30, 20), True)], ids=['as stored', 'as shown']
)
def test_a_photo_is_turned_as_it_is_annotated(tmp_path, annotated, turned):
    """Which of the two an annotation tool saw, the annotated size tells."""
    stored = np.zeros((20, 30, 3), np.uint8)
    stored[:, 15:] = 200
    exif = Image.Exif()
    exif[ORIENTATION] = QUARTER_TURN
    path = tmp_path / 'images' / 'photo.png'
    path.parent.mkdir()
    Image.fromarray(stored).save(path, exif=exif)
    sample = sample_of([], shape=annotated)
    sample.set_metainfo(dict(img_path=str(path)))
    dataset = SimpleNamespace()  # that does not say where its images are
    hook = DetVisualizationHook(draw=True, test_out_dir=str(tmp_path / 'out'))
    run_test(hook, runner_of(dataset, tmp_path / 'work'), [sample])
    (name,) = pictures(tmp_path / 'out')
    picture = cv2.imread(str(tmp_path / 'out' / name))
    expected = np.rot90(stored, -1) if turned else stored
    assert picture.shape == expected.shape
    assert (picture == expected).all()


def test_images_come_through_a_backend(images, tmp_path):
    read = []

    @register_backend('noting', force=True)
    class Noting(LocalBackend):
        def get(self, filepath: str) -> bytes:
            read.append(filepath)
            return super().get(filepath)

    hook = DetVisualizationHook(
        draw=True, test_out_dir=str(tmp_path / 'out'), backend_args=dict(backend='noting')
    )
    run_test(hook, runner_of(images, tmp_path / 'work'), images.samples())
    assert read == images.paths


def test_pictures_are_shown_in_a_window(images, tmp_path, monkeypatch):
    shown = []

    def show(self: DetLocalVisualizer, picture: np.ndarray, win_name: str, wait_time: float):
        shown.append((win_name, picture.shape, wait_time))

    monkeypatch.setattr(DetLocalVisualizer, 'show', show)
    monkeypatch.setattr(window, 'why_no_window', lambda: None)
    hook = DetVisualizationHook(draw=True, show=True, wait_time=0.5, interval=1)
    runner = runner_of(images, tmp_path)
    run_test(hook, runner, images.samples()[1:2])
    hook.before_val(runner)
    hook.after_val_iter(runner, 0, {}, images.samples())
    assert shown == [('test_b_1', (20, 60, 3), 0.5), ('val_a_1', (20, 60, 3), 0.5)]
    assert not (tmp_path / 'vis_data').exists()


@pytest.mark.parametrize('backend', ['agg', 'pdf'])
def test_without_a_display_that_is_said_at_once(backend):
    with (
        matplotlib.rc_context({'backend': backend}),
        pytest.raises(UserError, match=f'cannot open a window .*{backend}.*folder'),
    ):
        DetVisualizationHook(draw=True, show=True)


def test_names_of_pictures(tmp_path):
    alike = Images(tmp_path / 'x', ['1.png', '2.png'])
    assert common_folder(alike) == str(tmp_path / 'x')
    assert common_folder(Images(tmp_path, ['x/1.png', 'y/z/1.png'])) == str(tmp_path)
    assert common_folder(Images(tmp_path, [])) == '/'
    assert picture_name('/data/train/1.jpg', '/data/train') == '1.jpg'
    assert picture_name('/data/train/a/1.jpg', '/data/train') == 'a/1.jpg'
    assert picture_name('/data/train/1', '/data/train') == '1.png'
    assert picture_name('s3://bucket/a/1.jpg', '/').endswith('bucket/a/1.jpg')
