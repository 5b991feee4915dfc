import pytest
import torch

from mmdet.models.backbones.windows import ShiftWindowMSA, WindowMSA

SIZE = 4


def attention_by_pairs(attention: ShiftWindowMSA, feature: torch.Tensor) -> torch.Tensor:
    """Attend from each pixel to each other that the paper lets it see."""
    w_msa, shift = attention.w_msa, attention.shift_size
    _, height, width, channels = feature.shape
    padded = torch.nn.functional.pad(feature, (0, 0, 0, -width % SIZE, 0, -height % SIZE))
    sides = padded.shape[1:3]
    places = torch.cartesian_prod(*(torch.arange(side) for side in sides))
    shifted = (places - shift) % torch.tensor(sides)
    in_window = ((shifted // SIZE)[:, None] == (shifted // SIZE)[None]).all(-1)
    not_around = ((places >= shift)[:, None] == (places >= shift)[None]).all(-1)
    offsets = (places[:, None] - places[None] + SIZE - 1).clamp(0, 2 * SIZE - 2)
    bias = w_msa.relative_position_bias_table[offsets[..., 0] * (2 * SIZE - 1) + offsets[..., 1]]
    query, key, value = (
        part.unflatten(-1, (w_msa.num_heads, -1)).transpose(1, 2)
        for part in w_msa.qkv(padded.flatten(1, 2)).chunk(3, dim=-1)
    )
    logits = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5 + bias.permute(2, 0, 1)
    logits = logits.masked_fill(~(in_window & not_around), -torch.inf)
    attended = w_msa.proj((logits.softmax(-1) @ value).transpose(1, 2).flatten(2))
    return attended.view(-1, *sides, channels)[:, :height, :width]


@pytest.mark.parametrize('shift', [0, 1, 2])
@pytest.mark.parametrize('sides', [(4, 4), (8, 12), (7, 6), (3, 9)])
def test_a_pixel_sees_those_of_its_window(shift, sides):
    w_msa = WindowMSA(8, 2, SIZE)
    torch.nn.init.normal_(w_msa.relative_position_bias_table)
    attention = ShiftWindowMSA(w_msa, SIZE, shift).double()
    feature = torch.randn(2, *sides, 8, dtype=torch.float64)
    torch.testing.assert_close(attention(feature), attention_by_pairs(attention, feature))


def test_scale_and_dropouts_are_those_asked_for():
    feature = torch.randn(1, SIZE, SIZE, 8)
    uniform = ShiftWindowMSA(WindowMSA(8, 2, SIZE, qkv_bias=False, qk_scale=1e-9), SIZE, 0)
    assert uniform.w_msa.qkv.bias is None
    mean = uniform.w_msa.qkv(feature.mean((1, 2)))[:, 16:]
    expected = uniform.w_msa.proj(mean)[:, None, None].expand(1, SIZE, SIZE, 8)
    torch.testing.assert_close(uniform(feature), expected)
    for name in ('attn_drop_rate', 'proj_drop_rate'):
        dropping = ShiftWindowMSA(WindowMSA(8, 2, SIZE, **{name: 0.5}), SIZE, 0)
        assert not torch.equal(dropping(feature), dropping(feature))
        assert torch.equal(dropping.eval()(feature), dropping(feature))
