"""Print the settings that a config comes to, as a training would run them.

python tools/misc/print_config.py CONFIG [--save-path FILE] [--data-root DIR] [--cfg-options ...]
"""

from mmdet.cli.print_config import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
