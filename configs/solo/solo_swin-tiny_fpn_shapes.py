# solo_r18_fpn_shapes with timm's Swin Transformer Tiny, narrower without a GPU
_base_ = './solo_r18_fpn_shapes.py'

import torch  # noqa: E402 (mmengine takes a config for another kind if an import comes first)

embed_dim, num_heads = (96, (3, 6, 12, 24)) if torch.cuda.is_available() else (24, (1, 2, 4, 8))

model = dict(
    backbone=dict(
        _delete_=True,
        type='TIMMBackbone',
        model_name='swin_tiny_patch4_window7_224',
        embed_dim=embed_dim,
        num_heads=num_heads,
        # The last stage of an image of 128 to 160 pixels is 4 to 5 cells wide.
        window_size=4,
        drop_path_rate=0.0,
    ),
    neck=dict(in_channels=[embed_dim * 2**stage for stage in range(4)]),
)
