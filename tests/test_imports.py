"""What is imported: nothing before it is needed, and nothing from a layer above."""

import re
import subprocess
import sys

from tests.conftest import REPO

# The first are heavy, the others are extras: each would make every program slow to start.
LATE = (
    *('matplotlib', 'tensorboard', 'pandas', 'scipy'),
    *('av', 'fastapi', 'gradio', 'onnx', 'onnxruntime', 'onnxscript', 'openvino'),
    *('sahi', 'supervision', 'timm', 'uvicorn'),
)


def test_what_is_optional_or_heavy_is_imported_where_it_is_used(environment):
    packages = 'apis', 'apis.outputs', 'cli.export', 'cli.predict', 'cli.test', 'cli.train', 'web'
    imports = '\n'.join(f'import mmdet.{package}' for package in packages)
    program = f'{imports}\nimport sys; print(*sorted(sys.modules.keys() & set({LATE})))'
    done = subprocess.run(
        [sys.executable, '-c', program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


LAYERS = (
    {'errors', 'ops', 'registry', 'structures', 'utils'},
    {'datasets', 'evaluation', 'models', 'visualization'},
    {'engine'},
    {'export'},
    {'apis'},
    {'cli', 'web'},
)


def test_imports_point_one_way():
    rank = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    for path in sorted((REPO / 'mmdet').glob('*/**/*.py')):
        own = path.relative_to(REPO / 'mmdet').parts[0]
        imported = re.findall(r'^\s*(?:from|import) mmdet\.(\w+)', path.read_text(), re.MULTILINE)
        for other in imported if own in rank else ():
            assert rank[other] <= rank[own], f'{path} imports mmdet.{other}'
