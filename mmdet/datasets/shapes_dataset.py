"""The embedded data set as a registered one."""

import os
from pathlib import Path

from mmengine.dist import barrier

from mmdet.registry import DATASETS

from .coco import CocoDataset
from .coco_file import CocoFile
from .shapes_image import CLASSES


@DATASETS.register_module()
class ShapesDataset(CocoDataset):
    """Shapes: drawn into `data_root` on first use, then read as any other COCO data set."""

    METAINFO = dict(classes=CLASSES)

    def read(self) -> CocoFile:
        """Draw the data set if it is not there, and read the annotation file."""
        # Here, because the module is a command too, which is not to be imported before it runs.
        from .shapes import draw_dataset, is_free

        first_here = os.environ.get('LOCAL_RANK', '0') == '0'
        root = Path(self.data_root or '')
        if first_here and is_free(root):
            print(f'drawing the data set shapes into {root}', flush=True)
            draw_dataset(root)
        barrier()
        return super().read()
