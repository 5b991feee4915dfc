"""mmdetection's demos, with its arguments."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from mmdet.errors import exit_on_user_error
from tests.apis.models import config_of, write_checkpoint
from tests.apis.videos import scene, write_pictures, write_video
from tests.conftest import REPO


def load(name: str) -> Callable:
    """Return the `main` of a demo."""
    spec = importlib.util.spec_from_file_location(name, REPO / 'demo' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture
def trained(tmp_path, tiny_model, monkeypatch) -> tuple[str, str]:
    """A config's file and its checkpoint; the working directory is empty else."""
    monkeypatch.chdir(tmp_path)
    config_of(tiny_model).dump('mine.py')
    return 'mine.py', write_checkpoint(Path('model.pth'), tiny_model)


def files_in(folder: str) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob('*') if p.is_file())


def test_images(trained, tmp_path, capsys):
    write_pictures(tmp_path / 'in', ['a.png', 'b.jpg'])
    config, checkpoint = trained
    main = load('image_demo')
    main(['in', config, '--weights', checkpoint, '--device', 'cpu', '--batch-size', '2'])
    assert files_in('outputs') == ['preds/a.json', 'preds/b.json', 'vis/a.png', 'vis/b.jpg']
    assert len(json.loads(Path('outputs/preds/a.json').read_text())['scores']) == 5
    assert 'written: outputs' in capsys.readouterr().out
    options = ['--out-dir', 'x', '--no-save-vis', '--print-result', '--palette', 'voc']
    main(['in/a.png', checkpoint, '--device', 'cpu', *options])
    assert files_in('x') == ['preds/a.json']
    assert "'scores'" in capsys.readouterr().out


def test_a_video(trained, tmp_path, capsys):
    av = pytest.importorskip('av', reason='PyAV is not installed')
    write_video(tmp_path / 'a.mp4', [0, 40, 100])
    main = load('video_demo')
    main(['a.mp4', *trained, '--score-thr', '0', '--out', 'out/b.mp4'])
    (line,) = capsys.readouterr().out.splitlines()  # and none of a GPU that nobody named
    assert line.endswith('; written: out/b.mp4')
    with av.open('out/b.mp4') as container:
        assert [round(f.time * 1000) for f in container.decode(video=0)] == [0, 40, 100]


class Camera:
    """A camera of three frames."""

    def __init__(self, number: int) -> None:
        self.number, self.left = number, 3

    def isOpened(self) -> bool:  # noqa: N802
        return self.number == 1

    def read(self) -> tuple:
        self.left -= 1
        return self.left >= 0, scene(self.left)

    def release(self) -> None:
        pass


def test_a_camera(trained, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(cv2, 'VideoCapture', Camera)
    monkeypatch.setattr(cv2, 'namedWindow', lambda *_: None)
    monkeypatch.setattr(cv2, 'destroyWindow', lambda _: None)
    monkeypatch.setattr(cv2, 'imshow', lambda _, image: shown.append(image))
    monkeypatch.setattr(cv2, 'waitKey', lambda _: ord('q'))
    monkeypatch.setenv('DISPLAY', ':0')
    load('webcam_demo')([*trained, '--device', 'cpu', '--camera-id', '1', '--score-thr', '0'])
    assert capsys.readouterr().out.splitlines()[-1].startswith('1 frame, 5 instances, ')
    (image,) = shown
    assert image.shape == (96, 128, 3)


@pytest.mark.parametrize(
    ('demo', 'arguments', 'said'),
    [
        ('image_demo', ['a.png', 'm.pth', '--texts', 'bench'], 'unrecognized arguments: --texts'),
        ('image_demo', ['none.png', 'model.pth'], 'image none.png does not exist'),
        ('video_demo', ['a.mp4', 'mine.py', 'model.pth'], 'add --out FILE.mp4, --show, or both'),
        ('video_demo', ['a.mp4', 'mine.py', 'model.pth', '--out', 'b.mp4'], 'a.mp4 does not exist'),
        ('webcam_demo', ['mine.py', 'model.pth'], 'camera 0 cannot be opened'),
    ],
)
def test_what_is_wrong_is_said(trained, monkeypatch, capsys, demo, arguments, said):
    monkeypatch.setattr(cv2, 'VideoCapture', Camera)
    with pytest.raises(SystemExit) as ended, exit_on_user_error():
        load(demo)(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
