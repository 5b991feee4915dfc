"""Make the file to hand out of a training's checkpoint: weights, config, metrics; hash in the name.

python tools/model_converters/publish_model.py IN OUT [--save-keys KEY ...] [--metrics FILE]
"""

from mmdet.cli.program import run
from mmdet.cli.publish import main

if __name__ == '__main__':
    run(main)
