import copy

import pytest
import torch
import torchvision
from torch import Tensor, nn

from mmdet.models.backbones.blocks import BasicBlock, Bottleneck
from mmdet.models.layers import use_conv3x3

SIDE = 64


def build(kind: type[BasicBlock | Bottleneck], *, stride: int) -> BasicBlock | Bottleneck:
    """Return a block of 16 channels, in evaluation, that gives 16 or 64, with its weights drawn."""
    inplanes, planes = 16 * kind.expansion, 16
    shortcut = nn.Sequential(
        nn.Conv2d(inplanes, planes * kind.expansion, 1, stride=stride, bias=False),
        nn.BatchNorm2d(planes * kind.expansion),
    )
    block = kind(inplanes, planes, stride, shortcut if stride > 1 else None)
    use_conv3x3(block)
    for tensor in block.state_dict().values():
        if tensor.dim() == 1:
            nn.init.uniform_(tensor, 0.5, 1.5)
        elif tensor.dim() > 1:
            nn.init.normal_(tensor, std=tensor[0].numel() ** -0.5)
    return block.eval()


def feature(block: BasicBlock | Bottleneck) -> Tensor:
    side = SIDE * block.stride
    images = torch.randn(2, block.conv1.in_channels, side, side)
    return images.contiguous(memory_format=torch.channels_last).requires_grad_()


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('kind', [BasicBlock, Bottleneck])
def test_a_block_computes_and_learns_what_torchvisions_does(kind, stride):
    ours = build(kind, stride=stride).double()
    theirs = copy.deepcopy(ours)
    theirs.__class__ = getattr(torchvision.models.resnet, kind.__name__)
    given = feature(ours).detach().double()
    outs = []
    for block in (ours, theirs):
        taken = given.clone().requires_grad_()
        out = block(taken)
        out.square().mean().backward()
        outs.append([out, taken.grad, *(weight.grad for weight in block.parameters())])
        assert torch.equal(taken, given)
    torch.testing.assert_close(*outs, rtol=1e-10, atol=1e-10)
    assert not torch.equal(outs[0][0], outs[1][0]), 'nothing was folded'


# Channels of the maps, all of one size, that the backward pass needs: what convolutions read, and
# what a ReLU has left.
@pytest.mark.parametrize(
    ('kind', 'stride', 'channels'),
    [
        (BasicBlock, 1, [16, 16, 16]),
        (BasicBlock, 2, [16, 16, 4 * 16]),
        (Bottleneck, 1, [16, 16, 64, 64]),
        (Bottleneck, 2, [16, 64, 4 * 16, 4 * 64]),
    ],
)
def test_a_block_keeps_what_its_convolutions_read_and_its_output(kind, stride, channels):
    block = build(kind, stride=stride)
    images, kept = feature(block), {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        block(images).sum().backward()
    maps = [tensor.numel() for tensor in kept.values() if len(tensor) == len(images)]
    assert sorted(maps) == [each * len(images) * SIDE**2 for each in sorted(channels)]
