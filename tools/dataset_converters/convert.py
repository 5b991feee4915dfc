"""Write a data set in another format: COCO's, Ultralytics' YOLO, labelme's.

python tools/dataset_converters/convert.py SOURCE --to coco|yolo|labelme OUT [--split 0.8 0.2]
"""

from mmdet.cli.convert_data import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
