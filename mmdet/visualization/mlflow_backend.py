"""MLflow, which refuses the names of some of COCO's figures."""

import re
from collections.abc import Mapping

from mmengine.visualization import MLflowVisBackend as MMEngineMLflowVisBackend

from mmdet.registry import VISBACKENDS

# What MLflow allows beside these, it allows everywhere; @ is in `coco/segm_AR@100`.
_REFUSED = re.compile(r'[^\w\-. :/]', re.ASCII)


@VISBACKENDS.register_module()
class MLflowVisBackend(MMEngineMLflowVisBackend):
    """mmengine's, which gives each character that MLflow refuses in a name as `_`.

    `coco/segm_AR@100` ends a training at its first validation otherwise. See mmengine's class for
    the arguments.
    """

    def add_scalar(self, name: str, value: float, step: int = 0, **kwargs: object) -> None:
        """Log a value."""
        super().add_scalar(_allowed(name), value, step, **kwargs)

    def add_scalars(
        self,
        scalar_dict: Mapping[str, float],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: object,
    ) -> None:
        """Log several values."""
        named = {_allowed(name): value for name, value in scalar_dict.items()}
        super().add_scalars(named, step, file_path, **kwargs)


def _allowed(name: str) -> str:
    """Return a name that MLflow takes.

    Examples:
        >>> _allowed('coco/segm_AR@100')
        'coco/segm_AR_100'
    """
    return _REFUSED.sub('_', name)
