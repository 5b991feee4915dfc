"""What is imported before it is needed makes every program slow to start."""

import subprocess
import sys

# The first are heavy, the others are extras; gradio, for one, takes seconds.
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
