"""Training where only the plain requirements are installed: no extra, and nothing else."""

import subprocess
import sys

import pytest

from tests.conftest import REPO

# Before anything is imported, the finder of modules is replaced by one that does not see what
# neither requirements.txt nor what that requires brings. What has no distribution passes.
ONLY_REQUIREMENTS = """
import sys
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

allowed, waiting = {'mmdet-solo'}, Path('requirements.txt').read_text().splitlines()
while waiting:
    requirement = Requirement(waiting.pop())
    name = canonicalize_name(requirement.name)
    if name in allowed or (requirement.marker and not requirement.marker.evaluate({'extra': ''})):
        continue
    allowed.add(name)
    try:
        waiting += requires(name) or []
    except PackageNotFoundError:
        pass
owners = {
    module: {canonicalize_name(name) for name in names}
    for module, names in packages_distributions().items()
}


class Required(PathFinder):
    def find_spec(name, path=None, target=None):
        if path is None and not owners.get(name, allowed) & allowed:
            return None
        return PathFinder.find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Required
"""


@pytest.fixture
def run_plain(environment):
    """Run a program in an interpreter that can import what the requirements bring."""

    def run(program: str, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, '-c', ONLY_REQUIREMENTS + program, *arguments],
            cwd=REPO,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


def test_what_no_requirement_brings_is_refused(run_plain):
    done = run_plain('import pytest')
    assert done.returncode != 0
    assert "No module named 'pytest'" in done.stdout


def test_a_model_trains_and_is_evaluated(run_plain, tmp_path, config, shapes_root):
    program = """
import runpy
from mmdet.utils import register_all_modules
register_all_modules(init_default_scope=False)
runpy.run_path('tools/train.py', run_name='__main__')
"""
    done = run_plain(
        program,
        *(config, '--work-dir', str(tmp_path), '--data-root', str(shapes_root)),
        *('--cfg-options', 'train_cfg.max_epochs=1'),
    )
    assert done.returncode == 0, done.stdout
    assert (tmp_path / 'epoch_1.pth').is_file()
    assert (tmp_path / 'curves.png').is_file()
    assert 'segm_mAP' in done.stdout


# By the extra's name.
NEED_AN_EXTRA = """
import sys
from mmdet.apis import Prediction
from mmdet.apis.outputs import VideoWriter
from mmdet.errors import exit_on_user_error
from mmdet.export import ExportedDetector
from mmdet.models.backbones import TIMMBackbone
from mmdet.web import build_page

path = sys.argv[2]
with exit_on_user_error():
    dict(
        timm=lambda: TIMMBackbone('resnet18'),
        video=lambda: VideoWriter(path),
        demo=lambda: build_page({}),
        export=lambda: ExportedDetector(path),
        supervision=lambda: Prediction(None, None, ()).to_supervision(),
    )[sys.argv[1]]()
"""


@pytest.mark.parametrize('extra', ['timm', 'video', 'demo', 'export', 'supervision'])
def test_what_needs_an_extra_names_it(run_plain, tmp_path, extra):
    path = tmp_path / 'a.onnx'
    path.write_text('')
    done = run_plain(NEED_AN_EXTRA, extra, str(path))
    assert done.returncode == 2, done.stdout
    assert done.stdout.splitlines()[-1].endswith(f"pip install 'mmdet-solo[{extra}]'")
