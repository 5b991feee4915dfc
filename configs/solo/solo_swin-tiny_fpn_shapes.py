# solo_r18_fpn_shapes with timm's Swin Transformer Tiny
_base_ = './solo_r18_fpn_shapes.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='TIMMBackbone',
        model_name='swin_tiny_patch4_window7_224',
        embed_dim=96,
        num_heads=(3, 6, 12, 24),
        # The last stage of an image of 256 to 320 pixels is 8 to 10 cells wide.
        window_size=4,
        drop_path_rate=0.0,
    ),
    neck=dict(in_channels=[96, 192, 384, 768]),
)
