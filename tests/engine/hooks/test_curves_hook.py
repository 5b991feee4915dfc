from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from mmdet.engine.hooks import CurvesHook, curves_hook


@pytest.fixture
def drawn(monkeypatch) -> list[dict]:
    """What the hook has given to be drawn, each time."""
    calls = []
    monkeypatch.setattr(
        curves_hook, 'draw_curves', lambda path, **curves: calls.append(dict(path=path, **curves))
    )
    return calls


def test_what_is_drawn_is_what_was_logged(drawn, tmp_path):
    hub = MessageHub(tmp_path.name)
    runner = SimpleNamespace(message_hub=hub, work_dir=str(tmp_path), iter=0)
    hook = CurvesHook(metrics=('coco/AP', 'coco/none'))
    for iteration in range(1, 5):
        hub.update_scalar('train/loss', 1 / iteration)
        hub.update_scalar('train/loss_cls', 0.5 / iteration)
        hub.update_scalar('train/lr', 0.1)
        if iteration % 2 == 0:
            runner.iter = iteration
            hub.update_scalar('val/coco/AP', iteration / 10)
            hook.after_val_epoch(runner)
    hook.after_train(runner)
    assert len(drawn) == 3
    assert drawn[0]['score_iters'] == [2]
    assert drawn[1] == drawn[2]
    assert drawn[2] == dict(
        path=Path(tmp_path) / 'curves.png',
        losses={
            'loss': pytest.approx([1, 1 / 2, 1 / 3, 1 / 4]),
            'loss_cls': pytest.approx([0.5, 1 / 4, 1 / 6, 1 / 8]),
        },
        scores={'coco/AP': pytest.approx([0.2, 0.4])},
        score_iters=[2, 4],
    )
