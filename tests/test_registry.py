"""Which class a name in a config means: this project's, also where mmengine or mmcv has one."""

import pytest

from mmdet import registry

NAMES = {
    'DATASETS': (
        *('CocoDataset', 'ConcatDataset', 'MultiImageMixDataset', 'RepeatDataset'),
        'ShapesDataset',
    ),
    'DATA_SAMPLERS': ('AspectRatioBatchSampler',),
    'TRANSFORMS': (
        *('CopyPaste', 'FilterAnnotations', 'LoadAnnotations', 'LoadImageFromFile'),
        *('PackDetInputs', 'Pad', 'RandomChoiceResize', 'RandomCrop', 'RandomFlip'),
        *('RandomResize', 'Resize'),
    ),
    'HOOKS': (
        *('CheckpointHook', 'CurvesHook', 'DetVisualizationHook', 'LoggerHook'),
        *('PreflightHook', 'RuntimeInfoHook'),
    ),
    'OPTIM_WRAPPERS': ('AmpOptimWrapper',),
    'METRICS': ('CocoMetric',),
    'MODELS': ('BatchFixedSizePad', 'DetDataPreprocessor', 'SOLO', 'TIMMBackbone'),
    'VISBACKENDS': ('MLflowVisBackend',),
    'VISUALIZERS': ('DetLocalVisualizer',),
}


@pytest.mark.parametrize(
    ('kind', 'name'), [(kind, name) for kind, names in NAMES.items() for name in names]
)
def test_a_name_means_our_class(kind, name):
    cls = getattr(registry, kind).get(name)
    assert cls is not None
    assert (cls.__name__, cls.__module__.partition('.')[0]) == (name, 'mmdet')
