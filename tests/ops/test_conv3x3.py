"""The convolution against PyTorch's in float64, and where it is left to PyTorch's."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.library import opcheck
from torch.utils._python_dispatch import TorchDispatchMode

from mmdet.ops import conv3x3, conv3x3_levels
from mmdet.ops._extension import has_kernel
from mmdet.ops._first_use import may_use_kernel
from mmdet.ops.conv3x3 import is_quicker

OPS = torch.ops.mmdet_solo
# (B, C, O, H, W): tiles that are not full, channels that do not fill a vector or a panel, more of
# both than a block takes, and several slices of a sum
SHAPES = [
    (1, 1, 1, 1, 1),
    (2, 3, 5, 7, 9),
    (3, 17, 33, 4, 13),
    (1, 40, 9, 50, 47),
    (2, 150, 20, 8, 12),
    (1, 258, 16, 24, 25),
    (1, 16, 64, 3, 130),
    (1, 300, 2, 6, 5),
]
QUICK = (1, 32, 32, 48, 64)  # a shape that the kernel is used for


@pytest.fixture
def kernel() -> None:
    """The compiled kernel, which gets two threads to share its work."""
    if not has_kernel('conv3x3', torch.empty(0)):
        pytest.skip('the compiled kernel is absent, hidden, or not for this processor')
    assert may_use_kernel('conv3x3', torch.empty(0))
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def random_case(shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images, a weight, a bias and a gradient of the output."""
    batch, channels, outs, height, width = shape
    images = torch.randn(batch, channels, height, width)
    grad = torch.randn(batch, outs, height, width)
    return images, torch.randn(outs, channels, 3, 3), torch.randn(outs), grad


def output_and_gradients(conv: Callable, case: tuple[Tensor, ...]) -> list[Tensor]:
    *leaves, grad = (each.detach().clone() for each in case)
    leaves = [leaf.requires_grad_() for leaf in leaves]
    output = conv(*leaves)
    return [output, *torch.autograd.grad(output, leaves, grad)]


def kernel_conv(images: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """What `conv3x3` does, always by the kernel."""
    return OPS.conv3x3([images], weight, bias)[0]


def by_pytorch(images: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.conv2d(images, weight, bias, padding=1)


def assert_close(found: list[Tensor], wanted: list[Tensor]) -> None:
    """By the largest error over the largest value: where numbers cancel out, little is left."""
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        if one.numel():
            error = (one - other).abs().max() / other.abs().max().clamp(min=1e-3)
            assert error < 3e-6


def called_ops(run: Callable[[], object]) -> set[str]:
    """The names of this project's ops that are called."""
    names = set()

    class Listening(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func.namespace == 'mmdet_solo':
                names.add(func.__name__.removesuffix('.default'))
            return func(*args, **(kwargs or {}))

    with Listening():
        run()
    return names


@pytest.mark.parametrize('shape', SHAPES)
def test_kernel_is_pytorchs_in_float64(kernel, shape):
    case = random_case(shape)
    wanted = output_and_gradients(by_pytorch, tuple(each.double() for each in case))
    assert_close(output_and_gradients(kernel_conv, case), wanted)


def test_its_error_is_what_the_documentation_says(kernel):
    case = random_case((1, 256, 64, 32, 40))
    wanted = output_and_gradients(by_pytorch, tuple(each.double() for each in case))
    found = output_and_gradients(kernel_conv, case)
    errors = [(a - b).abs().max() / b.abs().max() for a, b in zip(found, wanted, strict=True)]
    assert max(errors[:3]) < 2e-6


def test_any_order_in_memory(kernel):
    images, weight, bias, grad = random_case((2, 20, 36, 10, 11))
    wanted = output_and_gradients(kernel_conv, (images, weight, bias, grad))
    strided = (
        images.contiguous(memory_format=torch.channels_last),
        weight.contiguous(memory_format=torch.channels_last),
        torch.stack((bias, bias), 1)[:, 0],
        grad.transpose(2, 3).contiguous().transpose(2, 3),
    )
    found = [
        kernel_conv(*strided[:3]),
        OPS.conv3x3_input_gradient([strided[3]], strided[1])[0],
        OPS.conv3x3_weight_gradient([strided[3]], [strided[0]]),
    ]
    for one, other in zip(found, wanted, strict=False):
        assert torch.equal(one, other)
    assert found[0].is_contiguous(memory_format=torch.channels_last)
    # The gradient of a sum is one number, expanded.
    one = images.clone().requires_grad_()
    kernel_conv(one, weight, None).sum().backward()
    (wanted,) = OPS.conv3x3_input_gradient([torch.ones_like(grad)], weight)
    torch.testing.assert_close(one.grad, wanted)


@pytest.mark.parametrize('shape', [(0, 4, 5, 6, 6), (2, 0, 3, 5, 5), (2, 3, 0, 5, 5)])
def test_nothing_to_do(kernel, shape):
    images, weight, bias, grad = random_case(shape)
    output, of_images, of_weight, of_bias = output_and_gradients(
        kernel_conv, (images, weight, bias, grad)
    )
    assert torch.equal(output, bias[:, None, None].expand_as(grad))
    for found, like in ((of_images, images), (of_weight, weight), (of_bias, bias)):
        assert found.shape == like.shape
    if not shape[0]:
        assert not of_weight.any() and not of_bias.any()


@pytest.mark.parametrize('shape', [(1, 6, 4, 5, 9), (2, 300, 33, 20, 36), (1, 1290, 4, 5, 6)])
def test_any_number_of_threads(kernel, shape):
    case = random_case(shape)
    found = {}
    for threads in (1, 2, 3, 10):
        torch.set_num_threads(threads)
        found[threads] = output_and_gradients(kernel_conv, case)
        again = output_and_gradients(kernel_conv, case)
        assert all(map(torch.equal, found[threads], again))
        assert all(map(torch.equal, found[threads][:2], found[1][:2]))
        assert_close(found[threads], found[1])


def test_calls_from_several_threads(kernel):
    cases = [random_case((1, 20 + i, 30, 20, 21)) for i in range(4)]
    wanted = [output_and_gradients(kernel_conv, case) for case in cases]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            found = list(pool.map(lambda case: output_and_gradients(kernel_conv, case), cases))
            for one, other in zip(found, wanted, strict=True):
                assert all(map(torch.equal, one, other))


def test_a_number_that_is_not_finite_is_not_hidden(kernel):
    images, weight, _, _ = random_case((1, 3, 4, 12, 12))
    images[0, 1, 5, 5] = float('nan')
    lost = kernel_conv(images, weight, None).isnan()
    assert lost[0, :, 4:7, 4:7].all()
    # The tiles that read it: those that hold one of the pixels around it
    assert not lost[0, :, :, 8:].any() and not lost[0, :, 8:].any() and not lost[0, :, :4].any()


@pytest.mark.parametrize('instructions', ['avx2', 'default'])
def test_older_instructions_give_the_same(kernel, instructions, environment, tmp_path):
    """PyTorch's own variable holds this kernel back, too; `default` leaves nothing for it."""
    cases = [random_case(shape) for shape in SHAPES[:5]]
    torch.save(cases, tmp_path / 'cases.pt')
    program = f"""
import torch
from mmdet.ops._extension import has_kernel, warn_of_slow_ops
from tests.ops.test_conv3x3 import OPS, output_and_gradients, conv3x3, kernel_conv, by_pytorch
cases = torch.load('cases.pt')
if {instructions!r} == 'default':
    assert OPS.conv3x3_instructions() == '' and not has_kernel('conv3x3', torch.empty(0))
    assert torch.equal(conv3x3(*cases[0][:3]), by_pytorch(*cases[0][:3]))
    warn_of_slow_ops('cpu')
else:
    print(OPS.conv3x3_instructions())
    torch.save([output_and_gradients(kernel_conv, case) for case in cases], 'found.pt')
"""
    done = subprocess.run(
        [sys.executable, '-c', program],
        env={**environment, 'ATEN_CPU_CAPABILITY': instructions, 'OMP_NUM_THREADS': '2'},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    if instructions == 'default':
        assert done.stdout + done.stderr == '', 'PyTorch does it: no op runs slower'
        return
    assert done.stdout == 'avx2\n'
    for case, found in zip(cases, torch.load(tmp_path / 'found.pt'), strict=True):
        assert_close(found, output_and_gradients(kernel_conv, case))


def test_gradients_of_the_reference():
    leaves = [
        torch.randn(*size, dtype=torch.float64) for size in ((2, 2, 5, 3), (3, 2, 3, 3), (3,))
    ]
    assert torch.autograd.gradcheck(conv3x3, [leaf.requires_grad_() for leaf in leaves])


def test_gradients_of_gradients(kernel):
    case = random_case((2, 5, 6, 9, 6))

    def penalty(conv: Callable, dtype: torch.dtype) -> list[Tensor]:
        images, weight, bias, _ = (each.to(dtype).requires_grad_() for each in case)
        output = (conv(images, weight, bias) / 10).sin().sum()
        grads = torch.autograd.grad(output, (images, weight), create_graph=True)
        total = sum((grad / 10).sin().sum() for grad in grads)
        return list(torch.autograd.grad(total, (images, weight, bias)))

    assert_close(penalty(kernel_conv, torch.float32), penalty(by_pytorch, torch.float64))


def test_only_the_gradients_that_are_asked_for(kernel):
    images, weight, bias, grad = random_case((1, 4, 4, 8, 8))
    for leaf, op in ((images, 'conv3x3_input_gradient'), (weight, 'conv3x3_weight_gradient')):
        leaf.requires_grad_()
        output = kernel_conv(images, weight, bias)
        assert called_ops(lambda out=output: out.backward(grad)) == {op}
        leaf.requires_grad_(False)


@pytest.mark.parametrize('needs_grad', [False, True])
def test_registrations(kernel, needs_grad):
    images, weight, bias, grad = (
        each.requires_grad_(needs_grad) for each in random_case((2, 5, 4, 6, 7))
    )
    others, other_grad = torch.randn(1, 5, 4, 3), torch.randn(1, 4, 4, 3)
    opcheck(OPS.conv3x3.default, ([images], weight, bias))
    opcheck(OPS.conv3x3.default, ([others, images], weight, None))
    opcheck(OPS.conv3x3_input_gradient.default, ([grad, other_grad], weight))
    opcheck(OPS.conv3x3_weight_gradient.default, ([grad, other_grad], [images, others]))


def test_large_shapes_are_the_kernels(kernel):
    images, weight, bias, _ = random_case(QUICK)
    assert called_ops(lambda: conv3x3(images, weight, bias)) == {'conv3x3'}
    assert_close([conv3x3(images, weight, bias)], [by_pytorch(images, weight, bias)])


@pytest.mark.parametrize(
    'shape',
    [
        (1, 32, 32, 12, 12),
        (1, 3, 32, 48, 64),
        (1, 32, 3, 48, 64),
        (1, 32, 32, 1, 999),
        (1, 32, 32, 16, 28),
    ],
)
def test_small_shapes_are_pytorchs(kernel, shape):
    images, weight, bias, _ = random_case(shape)
    assert called_ops(lambda: conv3x3(images, weight, bias)) == set()
    assert torch.equal(conv3x3(images, weight, bias), by_pytorch(images, weight, bias))


def test_small_shapes_together_are_the_kernels(kernel):
    grids, weight, bias = [torch.randn(1, 32, s, s) for s in (24, 16, 12)], *random_case(QUICK)[1:3]
    assert not any(is_quicker([grid], weight) for grid in grids[1:])
    assert called_ops(lambda: conv3x3_levels(grids, weight, bias)) == set()
    grids.append(torch.randn(1, 32, 8, 12))
    assert called_ops(lambda: conv3x3_levels(grids, weight, bias)) == {'conv3x3'}
    alone = [kernel_conv(grid, weight, bias) for grid in grids]
    assert all(map(torch.equal, conv3x3_levels(grids, weight, bias), alone))
    assert conv3x3_levels([], weight, bias) == []


@pytest.mark.parametrize('threads', [1, 3])
def test_levels_learn_what_each_alone_does(kernel, threads):
    """Of one there is no image, and one is not trained."""
    torch.set_num_threads(threads)
    sizes = [(2, 8, 9), (0, 4, 4), (1, 1, 1), (3, 5, 130)]
    levels = [torch.randn(batch, 20, *size, requires_grad=True) for batch, *size in sizes]
    levels[2].requires_grad_(False)
    weight, bias = (torch.randn(*size, requires_grad=True) for size in ((37, 20, 3, 3), (37,)))
    grads = [torch.randn(batch, 37, *size) for batch, *size in sizes]

    def learn(convolve: Callable, exact: bool) -> list[Tensor]:
        dtype = torch.float64 if exact else torch.float32
        leaves = [each.detach().to(dtype) for each in (*levels, weight, bias)]
        for leaf, given in zip(leaves, (*levels, weight, bias), strict=True):
            leaf.requires_grad_(given.requires_grad)
        outputs = convolve(leaves[:4], *leaves[4:])
        trained = [leaf for leaf in leaves if leaf.requires_grad]
        found = torch.autograd.grad(outputs, trained, [grad.to(dtype) for grad in grads])
        return [*outputs, *found]

    wanted = learn(lambda some, *others: [by_pytorch(each, *others) for each in some], True)
    assert_close(learn(OPS.conv3x3, False), wanted)


def test_what_the_kernel_is_not_for_is_pytorchs(kernel, monkeypatch):
    images, weight, bias, _ = random_case(QUICK)
    halves = images.bfloat16(), weight.bfloat16(), bias.bfloat16()
    doubles = images.double(), weight.double(), bias.double()
    for case in (halves, doubles, (images[0], weight, bias)):
        assert called_ops(lambda case=case: conv3x3(*case)) == set()
        assert torch.equal(conv3x3(*case), by_pytorch(*case))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert called_ops(lambda: conv3x3(images, weight, bias)) == set()
        assert conv3x3(images, weight, bias).dtype == torch.bfloat16
    assert conv3x3(*(each.to('meta') for each in (images, weight, bias))).shape == (1, 32, 48, 64)
    monkeypatch.setenv('MMDET_NO_WINOGRAD', '1')
    assert called_ops(lambda: conv3x3(images, weight, bias)) == set()
    monkeypatch.setenv('MMDET_NO_WINOGRAD', '0')
    assert called_ops(lambda: conv3x3(images, weight, bias)) == {'conv3x3'}


def test_compilers_see_a_plain_convolution(kernel):
    class Layer(torch.nn.Module):
        def forward(self, images, weight, bias):
            return conv3x3(images, weight, bias)

    case = random_case(QUICK)[:3]
    exported = torch.export.export(Layer(), case)
    targets = {str(node.target) for node in exported.graph.nodes if node.op == 'call_function'}
    assert targets == {'aten.conv2d.default'}
    traced = torch.jit.trace(Layer(), case, check_trace=False)
    assert 'aten::_convolution' in str(traced.graph) and 'mmdet_solo' not in str(traced.graph)
    compiled = torch.compile(Layer(), backend='aot_eager', fullgraph=True)
    assert torch.equal(compiled(*case), by_pytorch(*case))


@pytest.mark.parametrize(
    ('shapes', 'named'),
    [
        (((2, 4, 6, 6), (3, 5, 3, 3), (3,)), 'input must be of size 5 in dimension 1'),
        (((4, 6, 6), (3, 4, 3, 3), (3,)), 'input must have 4 dimensions'),
        (((2, 4, 6, 6), (3, 4, 1, 1), (3,)), 'weight must be of size 3 in dimension 2'),
        (((2, 4, 6, 6), (3, 4, 3, 3), (4,)), 'bias must be of size 3'),
    ],
)
def test_the_kernel_itself_names_wrong_arguments(kernel, shapes, named):
    with pytest.raises(RuntimeError, match=named):
        kernel_conv(*(torch.zeros(shape) for shape in shapes))


def test_the_gradients_name_wrong_arguments(kernel):
    images, grad, weight = torch.zeros(2, 4, 6, 6), torch.zeros(2, 3, 6, 6), torch.zeros(3, 4, 3, 3)
    with pytest.raises(RuntimeError, match='grad must be Float'):
        OPS.conv3x3_input_gradient([grad.double()], weight)
    with pytest.raises(RuntimeError, match='there must be a grad for each input, not 1 for 2'):
        OPS.conv3x3_weight_gradient([grad], [images, images])
    with pytest.raises(RuntimeError, match='input must be of size 4 in dimension 1'):
        OPS.conv3x3_weight_gradient([grad, grad], [images, grad])
    with pytest.raises(RuntimeError, match='grad must be of size 3 in dimension 1'):
        OPS.conv3x3_input_gradient([images], weight)
    with pytest.raises(RuntimeError, match='input must be of size 6 in dimension 3'):
        OPS.conv3x3_weight_gradient([grad], [images[..., :5]])
