"""The project's registries: children of mmengine's, in the scope `mmdet`.

A name that is registered here wins over mmengine's own, so a config written for mmdetection 3.x
(`type='CheckpointHook'`, `type='Resize'`) gets this project's class without a change.
"""

import mmengine.registry as mmengine_registry
from mmengine.registry import Registry


def _child(name: str, *locations: str) -> Registry:
    parent = getattr(mmengine_registry, name)
    return Registry(parent.name, parent=parent, scope='mmdet', locations=list(locations))


MODELS = _child('MODELS', 'mmdet.models')
DATASETS = _child('DATASETS', 'mmdet.datasets')
DATA_SAMPLERS = _child('DATA_SAMPLERS', 'mmdet.datasets')
TRANSFORMS = _child('TRANSFORMS', 'mmdet.datasets.transforms')
HOOKS = _child('HOOKS', 'mmdet.engine')
LOOPS = _child('LOOPS', 'mmdet.engine')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS', 'mmdet.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS', 'mmdet.engine')
METRICS = _child('METRICS', 'mmdet.evaluation')
VISBACKENDS = _child('VISBACKENDS', 'mmdet.visualization')
VISUALIZERS = _child('VISUALIZERS', 'mmdet.visualization')

# Nothing of the project's own yet, but mmengine warns of every scope that it does not find.
RUNNERS = _child('RUNNERS')
OPTIMIZERS = _child('OPTIMIZERS')
PARAM_SCHEDULERS = _child('PARAM_SCHEDULERS')
WEIGHT_INITIALIZERS = _child('WEIGHT_INITIALIZERS')
MODEL_WRAPPERS = _child('MODEL_WRAPPERS')
EVALUATOR = _child('EVALUATOR')
FUNCTIONS = _child('FUNCTIONS')
LOG_PROCESSORS = _child('LOG_PROCESSORS')
