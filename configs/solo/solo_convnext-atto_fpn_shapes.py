# solo_r18_fpn_shapes with timm's ConvNeXt Atto
_base_ = './solo_r18_fpn_shapes.py'

dims = [40, 80, 160, 320]

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
