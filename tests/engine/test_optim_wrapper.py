import pytest
import torch

from mmdet.engine import AmpOptimWrapper
from mmdet.errors import UserError

needs_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason='mmengine does it on a GPU')


def trained(wrapper_of, steps: int = 3):
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 4)
    wrapper = wrapper_of(torch.optim.AdamW(model.parameters(), lr=0.1))
    for _ in range(steps):
        with wrapper.optim_context(model):
            out = model(torch.ones(2, 8))
            assert out.dtype == torch.bfloat16
        wrapper.update_params(out.float().square().mean())
    return model, wrapper


@needs_cpu
@pytest.mark.parametrize('loss_scale', ['dynamic', 512.0])
def test_on_the_cpu_it_trains_in_bfloat16(loss_scale):
    def wrap(optimizer):
        return AmpOptimWrapper(
            optimizer=optimizer, loss_scale=loss_scale, clip_grad=dict(max_norm=1.0)
        )

    before, _ = trained(wrap, steps=0)
    after, wrapper = trained(wrap)
    assert after.weight.dtype == torch.float32
    assert not torch.equal(before.weight, after.weight)
    wrapper.load_state_dict(wrapper.state_dict())


@needs_cpu
def test_float16_needs_a_gpu():
    optimizer = torch.optim.SGD(torch.nn.Linear(2, 2).parameters(), lr=0.1)
    with pytest.raises(UserError, match='needs a GPU'):
        AmpOptimWrapper(optimizer=optimizer, dtype='float16')


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize(
    ('dtype', 'loss_scale', 'scales'),
    [('bfloat16', 'dynamic', False), ('bfloat16', 512.0, True), ('float16', 'dynamic', True)],
)
def test_a_gpu_scales_what_may_overflow_or_is_asked_for(dtype, loss_scale, scales):
    optimizer = torch.optim.SGD(torch.nn.Linear(2, 2).cuda().parameters(), lr=0.1)
    wrapper = AmpOptimWrapper(optimizer=optimizer, dtype=dtype, loss_scale=loss_scale)
    assert wrapper.loss_scaler.is_enabled() == scales
