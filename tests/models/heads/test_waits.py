"""The host waits for the device once in a forward pass, before the network runs."""

import pytest
import torch

from tests import devices
from tests.samples import HEADS, sample_of

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason='no device of ours, whose waits are counted'
)


def samples(device: torch.device) -> list:
    """The first image has an object at several levels, the second none."""
    both = [sample_of([(8, 8, 72, 72), (30, 10, 50, 30)]), sample_of([])]
    return [sample.to(device) for sample in both]


@pytest.mark.parametrize('kind', [kind for kind in HEADS if 'dcn' not in kind])
def test_once_for_the_targets(kind, build_head, feats, other_device):
    head = build_head(kind).to(other_device)
    levels = [level.to(other_device).requires_grad_() for level in feats]
    batch = samples(other_device)
    with devices.waits() as for_targets:
        targets = head.targets(batch)
    assert len(for_targets) == 1
    with devices.waits() as for_losses:
        losses = head.loss(levels, batch, targets)
        sum(losses.values()).backward()
    assert for_losses == []
    assert losses['loss_mask'].item() > 0
    assert targets.labels.device == targets.learnt[0].instances.device == other_device


def test_waits_are_counted(other_device):
    """What a GPU would make the host wait for, and what not."""
    here, there = torch.ones(3), torch.ones(3, device=other_device)
    waited = [
        lambda: there.tolist(),
        lambda: there[0].item(),
        lambda: there.cpu(),
        lambda: here.copy_(there),
        lambda: here.to(other_device),
        lambda: torch.tensor([1.0], device=other_device),
        lambda: there.nonzero(),
        lambda: there[there > 0],
        lambda: there.long().bincount(),
        lambda: bool((there > 0).all()),
    ]
    for wait in waited:
        with devices.waits() as names:
            wait()
        assert names
    with devices.waits() as names:
        here.to(other_device, non_blocking=True)
        there[torch.arange(2, device=other_device)] + 1
        torch.zeros(3, device=other_device).copy_(there)
        (there > 0).sum()
    assert names == []


@pytest.mark.parametrize('kind', [kind for kind in HEADS if 'dcn' not in kind])
def test_of_a_result(kind, build_head, feats, other_device):
    """Which cells score; of each level where some do, their masks' scores; which are kept; RLE."""
    head = build_head(kind, test_cfg=dict(score_thr=0.1)).to(other_device)
    levels = [level.to(other_device) for level in feats]
    batch = samples(other_device)
    drawn = []
    draw = head.cell_probabilities
    head.cell_probabilities = lambda outputs, image, level, cells: (
        drawn.append(level) or draw(outputs, image, level, cells)
    )
    with devices.waits() as names, torch.no_grad():
        results = head.predict(levels, batch)
    assert all(len(result.scores) for result in results)
    # Levels ascend while candidates are looked for, and again when what is kept is drawn.
    assert set(drawn) == set(range(5))
    assert len(names) == len(batch) * (1 + 5 + 1 + 1)
