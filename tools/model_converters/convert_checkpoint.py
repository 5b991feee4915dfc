"""Turn the checkpoint of any SOLO code base into plain weights under our names.

python tools/model_converters/convert_checkpoint.py IN OUT [--trust]
"""

from mmdet.cli.convert import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
