"""`mmdet-solo predict`: what it writes and says, and what it says of what is wrong."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmdet.cli.predict import main
from mmdet.errors import exit_on_user_error
from tests.apis.models import CLASSES, config_of, write_checkpoint
from tests.apis.videos import break_frames, scene, write_pictures, write_video
from tests.processes import run_tool


@pytest.fixture
def checkpoint(tmp_path, tiny_model) -> str:
    return write_checkpoint(tmp_path / 'model.pth', tiny_model)


@pytest.fixture
def predict(checkpoint, tmp_path, monkeypatch, capsys):
    """Runs the command as a program would; returns its exit code and the lines that it said."""
    monkeypatch.chdir(tmp_path)

    def run(source: object, *options: object, model: object = checkpoint) -> tuple[int, list, list]:
        code = 0
        try:
            with exit_on_user_error():
                main([str(source), str(model), '--score-thr', '0', *map(str, options)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err.splitlines()

    return run


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file())


def test_a_folder(predict, tmp_path):
    write_pictures(tmp_path / 'in', ['b.jpg', 'a.png'])
    options = ('--save-json', '--save-txt', '--save-crops', '--batch-size', 2)
    code, out, err = predict('in', *options)
    assert code == 0
    assert err == []
    assert out[-1].startswith('2 pictures, 10 instances, ')
    assert 'pictures a second; written: outputs/vis, outputs/predictions.json' in out[-1]
    written = files_in(tmp_path / 'outputs')
    assert {'vis/a.png', 'vis/b.jpg', 'labels/a.txt', 'labels/b.txt', 'classes.txt'} < set(written)
    assert any(name.startswith('crops/') and name.endswith('/a_1.png') for name in written)
    results = json.loads((tmp_path / 'outputs/predictions.json').read_text())
    assert {each['image_id'] for each in results} == {'a', 'b'}


def test_options(predict, tmp_path):
    write_pictures(tmp_path, ['a.png'])
    options = ('--classes', CLASSES[2], '--no-save-vis', '--save-json', '--out-dir', 'x/y')
    code, out, _ = predict('a.png', *options, '--score-thr', 0.1)
    assert code == 0
    assert files_in(tmp_path / 'x/y') == ['images.json', 'predictions.json']
    results = json.loads((tmp_path / 'x/y/predictions.json').read_text())
    assert all(each['category_id'] == 3 and each['score'] >= 0.1 for each in results)
    assert out[-1].startswith(f'1 picture, {len(results)} instance')


def test_where_one_picture_is_and_that_nothing_was_found(predict, tmp_path):
    write_pictures(tmp_path / 'in', ['a.png', 'b.png'])
    code, out, err = predict('in/a.png', '--save-crops', '--score-thr', 1)
    assert code == 0
    assert out[-1].startswith('1 picture, 0 instances, ')
    assert out[-1].endswith('; written: outputs/vis/a.png')
    assert err == ['note: nothing was found; a lower --score-thr lets more through']
    _, out, _ = predict('in', '--save-crops')
    assert out[-1].endswith('; written: outputs/vis, outputs/crops')


def test_tiles(predict, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.tile(scene(0), (2, 2, 1)))
    found = [predict('a.png', *options)[1][-1] for options in ((), ('--tile', 96))]
    assert found[0].startswith('1 picture, 5 instances')
    assert not found[1].startswith('1 picture, 5 instances')


def test_several_views(predict, tmp_path):
    write_pictures(tmp_path, ['a.png'])
    scores = []
    for options in ((), ('--tta',)):
        code, _, err = predict('a.png', '--save-json', *options)
        assert (code, err) == (0, [])
        results = json.loads((tmp_path / 'outputs/predictions.json').read_text())
        scores.append([each['score'] for each in results])
    assert len(scores[1]) > 0
    assert scores[0] != scores[1]


def test_a_video_gives_a_video(predict, tmp_path):
    av = pytest.importorskip('av', reason='PyAV is not installed')
    times = [0, 40, 80, 200, 240]
    write_video(tmp_path / 'a.mp4', times, sound='aac')
    code, out, err = predict('a.mp4')
    assert code == 0
    assert err == []
    assert out[-1].startswith('5 frames, 25 instances')
    assert out[-1].endswith('; written: outputs/vis/a.mp4')
    with av.open(str(tmp_path / 'outputs/vis/a.mp4')) as container:
        found = [round(frame.time * 1000) for frame in container.decode(video=0)]
        assert len(container.streams.audio) == 1
    assert found == times


def test_broken_pictures_are_listed_at_the_end(predict, tmp_path):
    write_pictures(tmp_path / 'in', ['a.png', 'c.png'])
    (tmp_path / 'in/b.png').write_bytes(b'broken')
    code, out, err = predict('in')
    assert code == 0
    assert out[-1].startswith('2 pictures, ')
    (line,) = err
    assert line.startswith('warning: left out: image in/b.png cannot be read')
    code, out, err = predict('in', '--strict')
    assert code == 2
    assert err[-1].startswith('error: image in/b.png cannot be read')
    assert out[-1].startswith('1 picture, ')


def test_a_broken_frame_is_counted_at_the_end(predict, tmp_path):
    pytest.importorskip('av', reason='PyAV is not installed')
    break_frames(write_video(tmp_path / 'a.mp4', range(0, 1000, 40)), [12])
    code, out, err = predict('a.mp4')
    assert code == 0
    number = int(out[-1].split()[0])
    assert 12 <= number < 25
    (line,) = err
    assert line.startswith(f'warning: left out: a.mp4: {25 - number} frame')
    code, out, err = predict('a.mp4', '--strict')
    assert code == 2
    assert 'cannot be decoded' in err[-1]


@pytest.mark.parametrize(
    ('source', 'options', 'said'),
    [
        ('none.jpg', (), 'none.jpg does not exist: name an image'),
        ('empty', (), 'folder empty has no images or videos'),
        ('*.tif', (), 'no image or video matches *.tif'),
        ('list.txt', (), 'list list.txt names nothing'),
        ('77', (), 'camera 77 cannot be opened'),
        ('a.png', ('--classes', 'gren'), "knows no class 'gren'; did you mean 'green'?"),
        ('a.png', ('--classes', 'person'), f"no class 'person'; it knows {', '.join(CLASSES)}"),
        ('a.png', ('--device', 'gpu'), "there is no device 'gpu': name cpu, cuda"),
        ('a.png', ('--batch-size', 0), 'batch_size is 0'),
        ('a.png', ('--out-dir', 'a.png'), 'folder a.png cannot be written: File exists'),
        ('a.png', ('--config', 'none.py'), 'no such config file: none.py'),
        ('a.png', ('--show',), 'no window can be opened: there is no display'),
    ],
)
def test_what_is_wrong_is_one_line(predict, tmp_path, monkeypatch, source, options, said):
    monkeypatch.delenv('DISPLAY', raising=False)
    write_pictures(tmp_path, ['a.png'])
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'list.txt').write_text('\n')
    code, out, err = predict(source, *options)
    assert code == 2
    assert out == []
    (line,) = err
    assert line.startswith('error: ')
    assert said in line


def test_a_broken_video(predict, tmp_path):
    pytest.importorskip('av', reason='PyAV is not installed')
    (tmp_path / 'a.mp4').write_bytes(b'cut off')
    code, _, err = predict('a.mp4')
    assert code == 2
    assert 'a.mp4 cannot be read, neither as an image nor as a video' in err[-1]


def test_a_checkpoint_without_its_config(predict, tmp_path, tiny_model):
    write_pictures(tmp_path, ['a.png'])
    content = torch.load(tmp_path / 'model.pth')
    torch.save(dict(content, meta={}), tmp_path / 'bare.pth')
    code, _, err = predict('a.png', model='bare.pth')
    assert code == 2
    (line,) = err
    assert line == ('error: bare.pth carries no config: name the config file it was trained with')
    config_of(tiny_model).dump(str(tmp_path / 'mine.py'))
    code, _, _ = predict('a.png', '--config', 'mine.py', model='bare.pth')
    assert code == 0


def test_a_read_only_folder(predict, tmp_path, small_disk):
    write_pictures(tmp_path, ['a.png'])
    os.system(f'mount -o remount,ro {small_disk}')
    code, _, err = predict('a.png', '--out-dir', small_disk / 'out')
    assert code == 2
    (line,) = err
    assert 'cannot be written: Read-only file system; name another place' in line


def test_a_full_disk_keeps_what_was_written(predict, tmp_path, small_disk):
    noise = np.random.default_rng(0)
    for number in range(12):
        image = noise.integers(0, 255, (400, 400, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f'{number:02}.png'), image)
    code, out, err = predict(f'{tmp_path}/*.png', '--out-dir', small_disk, '--save-json')
    assert code == 2
    assert 'no space is left on the disk' in err[-1]
    kept = files_in(small_disk)
    number = sum(name.startswith('vis/') for name in kept)
    assert 2 < number < 12
    assert out[-1].startswith(f'{number} pictures, ')
    assert all(
        cv2.imread(str(small_disk / name)) is not None for name in kept if name[:4] == 'vis/'
    )
    images = json.loads((small_disk / 'images.json').read_text())['images']
    assert len(images) == number


class EndlessCamera:
    """Somebody presses Ctrl-C after some frames."""

    def __init__(self, number: int) -> None:
        self.read_so_far = 0

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def read(self) -> tuple:
        time.sleep(0.03)
        self.read_so_far += 1
        if self.read_so_far == 40:
            os.kill(os.getpid(), signal.SIGINT)
        return True, scene(self.read_so_far)

    def release(self) -> None:
        pass


@pytest.fixture
def ctrl_c():
    """Means something also where the tests run in the background of a shell."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def test_ctrl_c_is_the_end_of_a_camera(predict, tmp_path, monkeypatch, ctrl_c):
    av = pytest.importorskip('av', reason='PyAV is not installed')
    monkeypatch.setattr(cv2, 'VideoCapture', EndlessCamera)
    before = threading.active_count()
    code, out, err = predict('0', '--save-json')
    assert code == 0
    number = int(out[-1].split()[0])
    assert number > 2
    assert 'written: outputs/vis/camera_0.mp4' in out[-1]
    assert not any('error' in line for line in err)
    with av.open(str(tmp_path / 'outputs/vis/camera_0.mp4')) as container:
        assert abs(len(list(container.decode(video=0))) - number) <= 1
    images = json.loads((tmp_path / 'outputs/images.json').read_text())['images']
    assert abs(len(images) - number) <= 1
    assert threading.active_count() == before


def test_ctrl_c_among_pictures_keeps_what_was_written(predict, tmp_path, monkeypatch, ctrl_c):
    write_pictures(tmp_path / 'in', [f'{number:03}.png' for number in range(300)])
    threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    code, out, err = predict('in')
    assert code == 130
    assert err == ['error: interrupted']
    number = int(out[-1].split()[0])
    assert 0 <= len(files_in(tmp_path / 'outputs/vis')) - number <= 1


def test_as_a_program(checkpoint, tmp_path, environment):
    write_pictures(tmp_path, ['a.png'])
    run = run_tool(
        *('tools/predict.py', f'{tmp_path}/a.png', checkpoint, '--out-dir', f'{tmp_path}/out'),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith('1 picture, ')
    assert run.stderr == ''
