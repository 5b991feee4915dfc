"""Registration, as mmdetection 3.x offers it."""

from importlib import import_module

from mmengine.registry import DefaultScope


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import everything that registers itself, so that configs can be built.

    The tools do not need it: registries import what they are asked for.

    Args:
        init_default_scope: let names in configs mean this project's classes first.
    """
    for package in ('datasets', 'datasets.transforms', 'engine', 'evaluation', 'models'):
        import_module(f'mmdet.{package}')
    import_module('mmdet.visualization')
    current = DefaultScope.get_current_instance()
    is_ours = current is not None and current.scope_name == 'mmdet'
    if init_default_scope and not (is_ours and DefaultScope.check_instance_created('mmdet')):
        DefaultScope.get_instance('mmdet', scope_name='mmdet')
