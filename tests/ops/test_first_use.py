"""A kernel is used only once it was seen to be right; whatever the place it is first asked from."""

import multiprocessing
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch._subclasses import FakeTensorMode

from mmdet.ops import _first_use
from mmdet.ops._extension import CPU_OPS, IS_LOADED, OPS
from mmdet.ops._first_use import FirstUse

CPU = torch.device('cpu')
ALL_OPS = """
import torch
from torch.utils.data import DataLoader
from mmdet.ops import (
    conv3x3, dice_loss, group_norm_relu, masks_to_rle, matrix_nms, sigmoid_focal_loss
)
from mmdet.ops.conv3x3 import conv3x3_reference
from mmdet.ops.dice_loss import dice_loss_reference
from mmdet.ops.focal_loss import sigmoid_focal_loss_reference
from mmdet.ops.group_norm_relu import group_norm_relu_reference
from mmdet.ops.masks_to_rle import masks_to_rle_reference
from mmdet.ops.matrix_nms import matrix_nms_reference

MASKS, LABELS, SCORES = torch.ones(3, 4, 4) > 0, torch.zeros(3).long(), torch.ones(3)
LOGITS, TARGETS = torch.randn(3, 4, 4), MASKS.byte()
IMAGES, WEIGHT = torch.randn(1, 32, 48, 48), torch.randn(32, 32, 3, 3)
SIZES = dict(img_shape=(16, 16), ori_shape=(20, 20), threshold=0.5)


def loss_and_gradient(loss, logits, *args):
    logits = logits.clone().requires_grad_()
    found = loss(logits, *args)
    return found, *torch.autograd.grad(found.sum(), logits)


def agree():
    pairs = [
        (
            torch.compile(matrix_nms, fullgraph=True, backend='eager')(MASKS, LABELS, SCORES),
            matrix_nms_reference(MASKS, LABELS, SCORES),
        ),
        (
            loss_and_gradient(dice_loss, LOGITS, TARGETS),
            loss_and_gradient(dice_loss_reference, LOGITS, TARGETS),
        ),
        (
            loss_and_gradient(sigmoid_focal_loss, LOGITS[0], LABELS.new_zeros(4)),
            loss_and_gradient(sigmoid_focal_loss_reference, LOGITS[0], LABELS.new_zeros(4)),
        ),
        (
            loss_and_gradient(group_norm_relu, IMAGES, 4, *WEIGHT[:2, :, 0, 0]),
            loss_and_gradient(group_norm_relu_reference, IMAGES, 4, *WEIGHT[:2, :, 0, 0]),
        ),
    ]
    for found, wanted in pairs:
        torch.testing.assert_close(found, wanted)
    pairs = conv3x3(IMAGES, WEIGHT), conv3x3_reference(IMAGES, WEIGHT)
    torch.testing.assert_close(*pairs, atol=1e-3, rtol=0)
    rles = masks_to_rle(LOGITS, **SIZES), masks_to_rle_reference(LOGITS, **SIZES)
    assert rles[0].rles == rles[1].rles
"""
WRONG_KERNELS = """
def raises(*_):
    raise RuntimeError('no such instruction')


library = torch.library.Library('mmdet_solo', 'IMPL')
for name, kernel in dict(
    matrix_nms=lambda masks, labels, scores, kernel, sigma: scores / 2,
    dice_loss_backward=lambda grad, predictions, *_: torch.zeros_like(predictions),
    sigmoid_focal_loss=raises,
    group_norm_relu_again=lambda input, *_: input,
    conv3x3_weight_gradient=lambda grads, inputs: grads[0].new_ones(35, 19, 3, 3),
    masks_to_rle=lambda maps, *_: (
        torch.tensor(list(b'0PP3') * len(maps)).byte(),
        torch.full((len(maps),), 4),
    ),
).items():
    library.impl(name, kernel, 'CPU', allow_override=True)
"""


def run(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', program],
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def log(monkeypatch) -> list[str]:
    """What is logged."""
    lines = []
    monkeypatch.setattr(_first_use, 'print_log', lambda message, **_: lines.append(message))
    return lines


@pytest.mark.skipif(not IS_LOADED, reason='the extension is absent or hidden')
class TestOps:
    def test_wrong_kernels_are_named_and_their_references_run(self, environment):
        worker = """
for found in DataLoader([0], num_workers=1, collate_fn=lambda _: matrix_nms(MASKS, LABELS, SCORES)):
    torch.testing.assert_close(found, matrix_nms_reference(MASKS, LABELS, SCORES))
"""
        done = run(f'{ALL_OPS}{WRONG_KERNELS}agree()\nagree()\n{worker}', environment)
        assert done.returncode == 0, done.stderr
        for op in (*OPS, *CPU_OPS):
            assert (done.stdout + done.stderr).count(f'kernel of {op} for cpu is not used') == 1
        assert 'no such instruction' in done.stdout + done.stderr

    def test_right_kernels_are_not(self, environment):
        program = """
agree()
torch.ops.mmdet_solo.matrix_nms = None  # the op that is called
try:
    matrix_nms(MASKS, LABELS, SCORES)
except TypeError:
    print('a kernel was called')
"""
        done = run(f'{ALL_OPS}{program}', environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout == 'a kernel was called\n'
        assert 'WARNING' not in done.stderr

    def test_a_variable_turns_it_off(self, environment):
        program = 'assert matrix_nms(MASKS, LABELS, SCORES).tolist() == [0.5, 0.5, 0.5]'
        trusting = {**environment, 'MMDET_TRUST_KERNELS': '1'}
        done = run(f'{ALL_OPS}{WRONG_KERNELS}{program}', trusting)
        assert done.returncode == 0, done.stderr
        assert 'not used' not in done.stdout + done.stderr
        assert run(f'{ALL_OPS}{WRONG_KERNELS}{program}', environment).returncode != 0


def differ(_: torch.device) -> None:
    torch.testing.assert_close(torch.zeros(2), torch.ones(2))


def test_each_op_is_checked_once_on_each_kind_of_device(log):
    asked = []
    first_use = FirstUse(dict(a=lambda device: asked.append(('a', device.type)), b=differ))
    for _ in range(2):
        assert first_use.is_right('a', CPU)
        assert first_use.is_right('a', torch.device('meta'))
        assert not first_use.is_right('b', CPU)
    assert asked == [('a', 'cpu'), ('a', 'meta')]
    (line,) = log
    assert 'kernel of b for cpu is not used' in line
    assert 'Mismatched elements: 2 / 2' in line


def test_several_threads_share_one_check():
    asked = []
    together = threading.Barrier(4)
    first_use = FirstUse(dict(a=asked.append))

    def use(_: int) -> bool:
        together.wait()
        return first_use.is_right('a', CPU)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(use, range(4)))
    assert len(asked) == 1


@pytest.mark.parametrize(
    'mode',
    [
        torch.no_grad,
        torch.inference_mode,
        FakeTensorMode,
        lambda: torch.autocast('cpu', dtype=torch.bfloat16),
        lambda: torch.device('meta'),
    ],
)
def test_the_check_is_run_as_if_nothing_were_around_it(mode):
    def check(_: torch.device) -> None:
        weight = torch.ones(2, 2, requires_grad=True)
        product = weight @ weight
        assert product.dtype == torch.float32
        product.sum().backward()
        assert weight.grad.tolist() == [[4, 4], [4, 4]]

    with mode():
        assert FirstUse(dict(a=check)).is_right('a', CPU)


def test_a_process_forked_in_the_middle_of_a_check_makes_its_own():
    started, done = threading.Event(), threading.Event()

    def check(_: torch.device) -> None:
        started.set()
        assert done.wait(60)

    first_use = FirstUse(dict(a=check))
    thread = threading.Thread(target=first_use.is_right, args=('a', CPU))
    thread.start()
    started.wait()

    def ask() -> None:
        done.set()
        assert first_use.is_right('a', CPU)

    child = multiprocessing.get_context('fork').Process(target=ask)
    child.start()
    child.join(30)
    alive = child.is_alive()
    child.kill()
    done.set()
    thread.join()
    assert not alive
    assert child.exitcode == 0
