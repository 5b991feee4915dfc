"""The example for programs without PyTorch, as it stands in the documentation."""

import re
import subprocess
import sys

import cv2
import pytest

from mmdet.export import ExportSettings, export_detector
from tests.conftest import REPO


def test_the_example_finds_instances(build_detector, images, tmp_path):
    pytest.importorskip('onnxscript')
    pytest.importorskip('onnxruntime')
    detector = build_detector('solov2')
    detector.mask_head.conv_cls.bias.add_(1.5)  # the example shows what scores 0.3
    export_detector(
        detector,
        detector.cfg,
        detector.dataset_meta,
        tmp_path / 'model.onnx',
        settings=ExportSettings(size=(96, 128)),
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
