"""What data may build: what is registered, and nothing that a name of it could import.

`dict(type='os.system', command=...)` is plain data, and mmengine would import and call what it
names. So of configs that are data every type is looked up here first.
"""

from collections.abc import Iterable, Iterator, Mapping

from mmengine.registry import Registry

SCOPES = ('mmdet', 'mmengine', 'mmcv')


def dicts(node: object) -> Iterator[Mapping]:
    """Yield each mapping within a value of mappings and lists, the value itself included."""
    if isinstance(node, Mapping):
        yield node
        node = list(node.values())
    for child in node if isinstance(node, list | tuple) else ():
        yield from dicts(child)


def is_registered(kind: str, registries: Iterable[Registry]) -> bool:
    """Return whether a type's name, or a scope's, is one of this project's, mmengine's or mmcv's.

    Args:
        kind: as a config has it, `SOLO`, `mmdet.SOLO` or `mmdet.models.detectors.solo.SOLO`.
        registries: to look in, and in their parents.
    """
    if kind in SCOPES:
        return True
    short = kind.rpartition('.')[2]
    for registry in registries:
        registry.import_from_location()
        for each in (registry, registry.parent):
            found = each.module_dict.get(short) if isinstance(each, Registry) else None
            names = [short, *(f'{scope}.{short}' for scope in SCOPES)]
            if found is not None and kind in (*names, f'{found.__module__}.{found.__name__}'):
                return True
    return False
