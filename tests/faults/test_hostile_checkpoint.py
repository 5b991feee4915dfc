"""Reading a checkpoint runs nothing that is in it, whichever door it comes in by.

What each file asks for is named, in one line. The canary is a file that each would make.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from mmengine.runner import Runner as MMEngineRunner

from mmdet.apis import init_detector
from mmdet.apis.detector import load_detector
from mmdet.engine.checkpoint import checkpoint_to_resume, read_checkpoint
from mmdet.errors import UserError
from tests.conftest import REPO
from tests.faults.hostile_checkpoints import FILES
from tests.faults.small_training import build, start
from tests.processes import run_tool

SHAPES = str(REPO / 'configs/solo/solo_r18_fpn_shapes.py')


@pytest.fixture
def canary(tmp_path) -> Iterator[Path]:
    path = tmp_path / 'canary'
    yield path
    assert not path.exists()


def resume(path: Path, tmp_path: Path) -> None:
    runner = build('ours', tmp_path / 'w')
    runner.resume(str(path))


def resume_newest(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'w'
    folder.mkdir()
    moved = folder / f'epoch_1{path.suffix}'
    path.rename(moved)
    (folder / 'last_checkpoint').write_text(str(moved))
    checkpoint_to_resume(str(folder))


def convert(path: Path, tmp_path: Path) -> None:
    sys.path.insert(0, str(REPO / 'tools/model_converters'))
    try:
        import convert_checkpoint
    finally:
        del sys.path[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', ['convert', str(path), str(tmp_path / 'out.pth')])
        convert_checkpoint.main()


DOORS: dict[str, Callable[[Path, Path], object]] = dict(
    read=lambda path, _: read_checkpoint(str(path), map_location='cpu'),
    read_lazily=lambda path, _: read_checkpoint(str(path), map_location='cpu', lazily=True),
    load_from=lambda path, tmp_path: build('ours', tmp_path / 'w').load_checkpoint(str(path)),
    resume=resume,
    resume_newest=resume_newest,
    init_detector=lambda path, _: init_detector(SHAPES, path, device='cpu'),
    load_detector=lambda path, _: load_detector(path, device='cpu'),
    pretrained=lambda path, _: CheckpointLoader.load_checkpoint(str(path), 'cpu'),
    convert=convert,
)


@pytest.mark.parametrize('door', DOORS.values(), ids=DOORS)
@pytest.mark.parametrize(('write', 'suffix', 'said'), FILES.values(), ids=FILES)
def test_nothing_runs_and_what_was_asked_for_is_named(tmp_path, canary, write, suffix, said, door):
    path = tmp_path / f'a{suffix}'
    write(path, canary)
    with pytest.raises(UserError, match=said) as raised:
        door(path, tmp_path)
    message = raised.value.on_command_line()
    assert '\n' not in message and len(message) < 600
    assert 'weights_only' not in message and 'WeightsUnpickler' not in message


@pytest.mark.parametrize(
    ('tool', 'name'),
    [
        ('resume', 'system'),
        *(
            pytest.param(tool, name, marks=pytest.mark.long)
            for tool in ('train', 'resume', 'test')
            for name in ('getattr', 'torchscript', 'huge header')
        ),
    ],
)
def test_the_tools(tmp_path, canary, environment, shapes_root, name, tool):
    write, suffix, _ = FILES[name]
    path = tmp_path / f'a{suffix}'
    write(path, canary)
    arguments = dict(
        train=['tools/train.py', SHAPES, '--cfg-options', f'load_from={path}'],
        resume=['tools/train.py', SHAPES, '--resume', str(path)],
        test=['tools/test.py', SHAPES, str(path)],
    )[tool]
    run = run_tool(
        *arguments,
        *('--work-dir', str(tmp_path / 'w'), '--data-root', str(shapes_root)),
        environment=environment,
    )
    assert run.returncode == 2, run.stderr
    assert 'Traceback' not in run.stderr
    assert run.stderr.splitlines()[-1].startswith(f'error: {path} ')


@pytest.fixture
def with_code_in_meta(tmp_path) -> Path:
    """A training's checkpoint with programs where mmengine and mmdetection keep configs as text."""
    build('ours', tmp_path / 'w', epochs=1).train()
    path = tmp_path / 'w/epoch_1.pth'
    checkpoint = torch.load(path, weights_only=True)
    program = f'open({str(tmp_path / "canary")!r}, "w")\nmodel = dict(type="SOLO")\n'
    checkpoint['meta'] |= dict(config=program, cfg=program)
    del checkpoint['meta']['cfg_dict']
    torch.save(checkpoint, path)
    return path


def test_code_in_meta_does_not_run(with_code_in_meta, tmp_path, canary):
    runner = build('ours', tmp_path / 'w', epochs=2)
    runner.resume(str(with_code_in_meta))
    assert runner.epoch == 1
    with pytest.raises(UserError, match='SOLO needs the argument'):
        load_detector(with_code_in_meta, device='cpu')


def test_mmengine_runs_code_in_meta(with_code_in_meta, tmp_path):
    """Even where torch loads no code, as it does by default: it is text, that mmengine runs."""

    def resume_with_mmengine() -> None:
        runner: MMEngineRunner = build('mmengine', tmp_path / 'theirs', epochs=2)
        runner.resume(str(with_code_in_meta))

    process = start('mmengine', resume_with_mmengine, output=tmp_path / 'output')
    process.join(60)
    assert (tmp_path / 'canary').exists()


def test_types_in_an_embedded_config_do_not_run(tmp_path, canary):
    model = dict(type='subprocess.Popen', args=['touch', str(canary)])
    meta = dict(cfg_dict=dict(model=model), cfg=Config(dict(model=model)).pretty_text)
    torch.save(dict(state_dict=dict(a=torch.ones(1)), meta=meta), tmp_path / 'a.pth')
    with pytest.raises(UserError, match=r'not part of this project: subprocess\.Popen'):
        load_detector(tmp_path / 'a.pth', device='cpu')
