"""The residual blocks of ResNet: torchvision's, with each norm computed in its convolution."""

from torch import Tensor, nn
from torchvision.models import resnet

from mmdet.models.layers import conv_norm


class BasicBlock(resnet.BasicBlock):
    """Two 3 x 3 convolutions; arguments and parameters are torchvision's."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, planes, H', W') for a (B, inplanes, H, W) feature."""
        out = self.relu(conv_norm(x, self.conv1, self.bn1))
        out = conv_norm(out, self.conv2, self.bn2)
        return self.relu(out.add_(_shortcut(x, self.downsample)))


class Bottleneck(resnet.Bottleneck):
    """1 x 1, 3 x 3 and 1 x 1 convolution; arguments and parameters are torchvision's."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 4 * planes, H', W') for a (B, inplanes, H, W) feature."""
        out = self.relu(conv_norm(x, self.conv1, self.bn1))
        out = self.relu(conv_norm(out, self.conv2, self.bn2))
        out = conv_norm(out, self.conv3, self.bn3)
        return self.relu(out.add_(_shortcut(x, self.downsample)))


def _shortcut(x: Tensor, downsample: nn.Module | None) -> Tensor:
    if downsample is None:
        return x
    assert isinstance(downsample, nn.Sequential)
    *pools, conv, norm = downsample
    for pool in pools:
        x = pool(x)
    return conv_norm(x, conv, norm)
