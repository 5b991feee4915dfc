# solo_r18_fpn_shapes-cpu with timm's Swin Transformer Tiny, narrower
_base_ = './solo_r18_fpn_shapes-cpu.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='TIMMBackbone',
        model_name='swin_tiny_patch4_window7_224',
        embed_dim=24,
        num_heads=(1, 2, 4, 8),
        # The last stage of an image of 128 to 160 pixels is 4 to 5 cells wide.
        window_size=4,
        drop_path_rate=0.0,
    ),
    neck=dict(in_channels=[24, 48, 96, 192]),
)
