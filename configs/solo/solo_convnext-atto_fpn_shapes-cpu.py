# solo_r18_fpn_shapes-cpu with timm's ConvNeXt Atto, narrower
_base_ = './solo_r18_fpn_shapes-cpu.py'

dims = [16, 32, 64, 128]

model = dict(
    backbone=dict(
        _delete_=True,
        type='TIMMBackbone',
        model_name='convnext_atto',
        dims=dims,
        # The usual 1e-6 begins every block as the identity, too slow a start for a short training.
        ls_init_value=1.0,
    ),
    neck=dict(in_channels=dims),
)
