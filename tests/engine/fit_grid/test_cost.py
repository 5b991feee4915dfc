from mmdet.engine.fit_grid.cost import cost_of, count_kept
from mmdet.engine.measure.flops import BACKWARD, FORWARD, build, count_here


def test_features_are_counted(tiny_model):
    """Those of an image of double the size are four times as large."""
    detector = build(tiny_model)
    small, large = (count_kept(detector, (side, side)) for side in (64, 128))
    assert 2.5 * small < large < 4.5 * small


def test_weights_are_not(tiny_model):
    tiny_model['backbone'].update(base_channels=64)
    tiny_model['neck'].update(in_channels=[64, 128, 256, 512])
    detector = build(tiny_model)
    weights = sum(each.numel() * 4 for each in detector.parameters())
    assert 0 < count_kept(detector, (32, 32)) < 0.2 * weights


def test_the_cost_is_forward_and_backward(tiny_model):
    cost = cost_of(tiny_model, (64, 64))
    counts, _ = count_here(build(tiny_model), (64, 64), 'train', candidates=0)
    assert cost.macs == counts[FORWARD] + counts[BACKWARD] > 2 * counts[FORWARD]
    finer = dict(
        tiny_model, mask_head=dict(tiny_model['mask_head'], num_grids=[40, 36, 24, 16, 12])
    )
    assert cost_of(finer, (64, 64)).macs > cost.macs
