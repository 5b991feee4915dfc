"""A convolution layer that takes the quicker of two ways; see `mmdet.ops.conv3x3`."""

from torch import Tensor, nn

from mmdet.ops import conv3x3, recomputes


class Conv3x3(nn.Conv2d):
    """`nn.Conv2d`, its arguments and parameters, computed by `conv3x3` where that is its work."""

    # Not `forward`, so that whoever has another weight for it (`conv_norm`) gets it computed too.
    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return (B, out_channels, H', W') for a (B, in_channels, H, W) feature."""
        with recomputes(input):
            if (
                self.kernel_size == (3, 3)
                and self.stride == self.padding == self.dilation == (1, 1)
                and self.groups == 1
                and self.padding_mode == 'zeros'
            ):
                return conv3x3(input, weight, bias)
            return super()._conv_forward(input, weight, bias)


def use_conv3x3(module: nn.Module) -> None:
    """Put a `Conv3x3` in the place of each 3 x 3 `nn.Conv2d` in a module that others wrote.

    It takes over the parameters; nothing is drawn anew.
    """
    for name, child in module.named_children():
        if not isinstance(child, nn.Conv2d):
            use_conv3x3(child)
        # A subclass has a way of its own.
        elif (
            type(child) is nn.Conv2d
            and child.kernel_size == (3, 3)
            and child.padding_mode == 'zeros'
        ):
            setattr(module, name, _with_parameters_of(child))


def _with_parameters_of(conv: nn.Conv2d) -> Conv3x3:
    taken = Conv3x3(conv.in_channels, conv.out_channels, 3, groups=conv.groups, device='meta')
    taken.stride, taken.padding, taken.dilation = conv.stride, conv.padding, conv.dilation
    taken.weight, taken.bias = conv.weight, conv.bias
    return taken
