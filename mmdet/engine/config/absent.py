"""Names of mmdetection's that are not here, and what to use instead."""

_MIX = "put {} into a MultiImageMixDataset's pipeline, which reads each image anew"

# As docs/mmdetection.md lists them.
INSTEAD = {
    'CachedMosaic': _MIX.format('Mosaic'),
    'CachedMixUp': _MIX.format('MixUp'),
    'Corrupt': 'take one of albumentations by Albu, or of torchvision by TorchVision',
    'InstaBoost': 'take CopyPaste in a MultiImageMixDataset',
    'ResizeShortestEdge': 'take Resize or RandomChoiceResize with keep_ratio=True',
    'FixScaleResize': 'take Resize with keep_ratio=True',
    'SegRescale': 'leave it out, there are no maps of semantic classes',
    'SetEpochInfoHook': 'leave it out, no part of SOLO asks for the epoch',
    'SyncNormHook': "set sync_bn='torch', which has all processes share their norms' statistics",
    'YOLOXModeSwitchHook': 'take PipelineSwitchHook, with the pipeline of the last epochs',
    'MeanTeacherHook': 'take EMAHook',
}
