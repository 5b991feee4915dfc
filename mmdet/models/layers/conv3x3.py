"""A convolution layer that takes the quicker of two ways; see `mmdet.ops.conv3x3`."""

from typing import overload

from torch import Tensor, nn

from mmdet.ops import conv3x3, conv3x3_levels, recomputes


class Conv3x3(nn.Conv2d):
    """`nn.Conv2d`, its arguments and parameters, computed by `conv3x3` where that is its work."""

    @overload
    def forward(self, input: Tensor) -> Tensor: ...

    @overload
    def forward(self, input: list[Tensor]) -> list[Tensor]: ...

    def forward(self, input: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
        """Return (B, out_channels, H', W') for a (B, in_channels, H, W) feature, or for each."""
        if isinstance(input, Tensor):
            return super().forward(input)
        if not self._keeps_size():
            return [super(Conv3x3, self).forward(each) for each in input]
        with recomputes(*input):
            return conv3x3_levels(input, self.weight, self.bias)

    # Not `forward`, so that whoever has another weight for it (`conv_norm`) gets it computed too.
    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return (B, out_channels, H', W') for a (B, in_channels, H, W) feature."""
        with recomputes(input):
            if self._keeps_size():
                return conv3x3(input, weight, bias)
            return super()._conv_forward(input, weight, bias)

    def _keeps_size(self) -> bool:
        return (
            self.kernel_size == (3, 3)
            and self.stride == self.padding == self.dilation == (1, 1)
            and self.groups == 1
            and self.padding_mode == 'zeros'
        )


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
