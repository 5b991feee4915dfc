"""Write a detector to a file that runs without this package.

python tools/deployment/export.py CHECKPOINT --format onnx|torch-export|openvino [--dynamic] ...
"""

from mmdet.cli.export import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
