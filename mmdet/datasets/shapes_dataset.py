"""The embedded data set as a registered one."""

import os
from pathlib import Path

from mmengine.dist import barrier

from mmdet.registry import DATASETS

from .coco import CocoDataset
from .shapes_image import CLASSES


@DATASETS.register_module()
class ShapesDataset(CocoDataset):
    """Shapes: drawn into `data_root` on first use, then read as any other COCO data set."""

    METAINFO = dict(classes=CLASSES)

    def load_data_list(self) -> list[dict]:
        """Draw the data set if it is not there, and read the annotation file."""
        first_here = os.environ.get('LOCAL_RANK', '0') == '0'
        root = Path(self.data_root)
        if first_here and not (root.exists() and any(root.iterdir())):
            print(f'drawing the data set shapes into {self.data_root}', flush=True)
            # Here, because the module is a command too, which is not to be imported before it runs.
            from .shapes import draw_dataset

            draw_dataset(self.data_root)
        barrier()
        return super().load_data_list()
