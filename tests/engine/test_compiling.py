"""`compile` in a config: what is compiled learns the same, and what cannot be is said in a line."""

import copy
import logging

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmdet.engine.compiling import compile_network, naming_compilation
from mmdet.engine.runner import Runner
from mmdet.errors import UserError
from mmdet.models.detectors import SOLO
from mmdet.registry import MODELS
from tests.samples import batch_of, sample_of

SIZES = [(64, 96), (96, 64), (96, 96)]


@pytest.fixture
def detector(tiny_model) -> SOLO:
    """A network of two stages: to compile more takes long."""
    tiny_model['backbone'].update(num_stages=2, out_indices=(0, 1))
    tiny_model['neck']['in_channels'] = [8, 16]
    return MODELS.build(tiny_model).train()


@pytest.fixture(autouse=True)
def nothing_compiled():
    """Sizes that were seen before count, too."""
    torch.compiler.reset()


def learnt(detector: SOLO, size: tuple[int, int], *, amp: bool = False) -> dict[str, Tensor]:
    """Return losses and gradients of a batch."""
    torch.manual_seed(0)
    batch = batch_of([sample_of([(4, 4, 40, 60)], shape=size), sample_of([], shape=size)])
    detector.zero_grad()
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=amp):
        losses = detector(**detector.data_preprocessor(batch, True), mode='loss')
    sum(losses.values()).backward()
    gradients = {name: each.grad for name, each in detector.named_parameters()}
    return losses | {name: grad.clone() for name, grad in gradients.items() if grad is not None}


def graphs_of(calls: list[int]):
    """Return a compiler that changes nothing, and notes how many operations a graph has."""

    def backend(graph, inputs):
        calls.append(len(graph.graph.nodes))
        return graph.forward

    return backend


def test_backbone_and_neck_are_a_graph_each_and_learn_the_same(detector):
    compiled, calls = copy.deepcopy(detector), []
    compile_network(compiled, dict(backend=graphs_of(calls)))
    for size in SIZES:
        torch.testing.assert_close(learnt(compiled, size), learnt(detector, size))
    # One for the first size, one for any.
    assert len(calls) == 4
    assert compiled.state_dict().keys() == detector.state_dict().keys()
    learnt(copy.deepcopy(compiled), (128, 96))
    assert len(calls) == 4


def test_gradients_are_compiled_in_mixed_precision_too(detector):
    compiled = copy.deepcopy(detector)
    compile_network(compiled, dict(backend='aot_eager'))
    found, expected = (learnt(each, SIZES[0], amp=True) for each in (compiled, detector))
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.01)


@pytest.mark.parametrize(
    ('options', 'complaint'),
    [
        (dict(backend='no-such'), "Invalid backend: 'no-such'"),
        (dict(mode='quick'), 'Unrecognized mode=quick'),
        (dict(speed=1), "unexpected keyword argument 'speed'"),
    ],
)
def test_options_that_there_are_not(detector, options, complaint):
    with pytest.raises(UserError, match=complaint) as refused:
        compile_network(detector, options)
    assert str(refused.value).endswith('--cfg-options compile=False trains without')


def test_what_cannot_be_compiled_is_said_in_a_line(detector):
    def failing(graph, inputs):
        raise ValueError('no compiler\nwas found')

    compile_network(detector, dict(backend=failing))
    with pytest.raises(UserError) as refused, naming_compilation():
        learnt(detector, SIZES[0])
    assert 'no compiler' in str(refused.value) and '\n' not in str(refused.value)


def test_other_errors_stay_what_they_are():
    with pytest.raises(torch.OutOfMemoryError), naming_compilation():
        raise torch.OutOfMemoryError('tried')


@pytest.mark.parametrize('choice', [True, dict(backend='eager'), False, None])
def test_a_runner_compiles_them(detector, choice):
    runner = Runner.__new__(Runner)
    runner.model, runner.cfg = detector, Config(dict(compile=choice))
    runner.logger = logging.getLogger('compiling')
    runner._maybe_compile('train_step')
    for part in (detector.backbone, detector.neck):
        assert (part._compiled_call_impl is not None) == bool(choice)
    assert 'train_step' not in vars(detector)


def test_another_model_is_compiled_as_mmengine_does():
    runner = Runner.__new__(Runner)
    runner.logger = logging.getLogger('compiling')
    runner.model, runner.cfg = nn.Linear(2, 2), Config(dict(compile=dict(backend='eager')))
    runner._maybe_compile('forward')
    assert 'forward' in vars(runner.model)
