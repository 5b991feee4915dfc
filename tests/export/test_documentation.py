"""The example for programs without PyTorch, as it stands in the documentation."""

import re
import subprocess
import sys

import cv2
import pytest

from mmdet.apis import predict
from mmdet.export import ExportSettings, export_detector
from tests.conftest import REPO


@pytest.mark.parametrize('dynamic', [False, True])
def test_the_example_finds_what_predict_does(build_detector, images, tmp_path, dynamic):
    pytest.importorskip('onnxscript')
    pytest.importorskip('onnxruntime')
    detector = build_detector('solov2')
    # Smaller than the file takes.
    resize = dict(scale=(200, 150)) if dynamic else dict(scale_factor=0.2)
    detector.cfg.test_pipeline[1] = dict(type='Resize', keep_ratio=True, **resize)
    detector.mask_head.conv_cls.bias.add_(1.5)  # the example shows what scores 0.3
    export_detector(
        detector,
        detector.cfg,
        detector.dataset_meta,
        tmp_path / 'model.onnx',
        settings=ExportSettings(size=None if dynamic else (96, 128), dynamic=dynamic),
    )
    cv2.imwrite(str(tmp_path / 'photo.jpg'), images[1])
    page = (REPO / 'docs' / 'deployment.md').read_text()
    (example,) = re.findall(r'```python\n(.*?)```', page, re.DOTALL)
    done = subprocess.run(
        [sys.executable, '-I', '-c', "import sys; sys.modules['torch'] = None\n" + example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) >= 1
    assert all(re.fullmatch(r'class [012] 0\.\d+ \d+ pixels', line) for line in lines)
    (found,) = predict(str(tmp_path / 'model.onnx'), str(tmp_path / 'photo.jpg'), score_thr=0.3)
    assert len(lines) == len(found)
    scores = [float(line.split()[-3]) for line in lines]
    assert scores == pytest.approx(found.scores.tolist(), abs=2e-3)
    pixels = [int(line.split()[-2]) for line in lines]
    assert pixels == pytest.approx(found.masks.sum((1, 2)).tolist(), rel=0.02, abs=20)
