"""Exported files, each run by its runtime: an image in, the graph's outputs by name out."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmdet.errors import UserError, missing_package

FORMATS = {'onnx': '.onnx', 'torch-export': '.pt2', 'openvino': '.xml'}
"""The suffix of each format's files."""

METADATA_FILE = 'mmdet_solo.json'
RT_INFO = 'mmdet_solo'


class Runtime(NamedTuple):
    """A loaded file.

    Attributes:
        strings: its metadata.
        run: takes a (1, 3, H, W) float32 image on the CPU, returns the outputs by name.
    """

    strings: Mapping[str, str]
    run: Callable[[Tensor], dict[str, Tensor]]


def is_exported(path: str | Path) -> bool:
    """Return whether a file's name says that it was exported, and is no checkpoint."""
    return Path(path).suffix in FORMATS.values()


def load_runtime(path: str | Path, *, device: torch.device | None = None) -> Runtime:
    """Load an exported file by the runtime of its suffix.

    Args:
        path: an ONNX (`.onnx`), torch.export (`.pt2`) or OpenVINO (`.xml`) file.
        device: where it runs. ONNX alone runs elsewhere than on the CPU, if its runtime can.

    Raises:
        UserError: there is no such file, its runtime is not installed, or does not take it.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'{path} does not exist')
    if not is_exported(path):
        raise UserError(f'{path} is none of {", ".join(FORMATS.values())}')
    load = {'.onnx': _load_onnx, '.pt2': _load_pt2, '.xml': _load_openvino}[path.suffix]
    return load(path, device or torch.device('cpu'))


def _load_onnx(path: Path, device: torch.device) -> Runtime:
    try:
        import onnxruntime
    except ImportError:
        raise missing_package(f'{path} needs onnxruntime', 'export') from None
    providers = ['CPUExecutionProvider']
    if device.type == 'cuda' and 'CUDAExecutionProvider' in onnxruntime.get_available_providers():
        providers.insert(0, 'CUDAExecutionProvider')
    try:
        session = onnxruntime.InferenceSession(path, providers=providers)
    except Exception as error:  # onnxruntime has a class of its own for each kind
        raise _refused(path, f'onnxruntime {onnxruntime.__version__}', error) from error
    names = [output.name for output in session.get_outputs()]
    inputs = [each.name for each in session.get_inputs()]

    def run(image: Tensor) -> dict[str, Tensor]:
        outputs = session.run(names, {inputs[0]: image.numpy()})
        return _by_name(names, outputs)

    return Runtime(session.get_modelmeta().custom_metadata_map, run)


def _load_openvino(path: Path, device: torch.device) -> Runtime:
    try:
        import openvino
    except ImportError:
        raise missing_package(f'{path} needs openvino', 'export') from None
    core = openvino.Core()
    try:
        model = core.read_model(path)
        # By default it computes in bfloat16 where the processor can.
        compiled = core.compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    except RuntimeError as error:
        raise _refused(path, f'openvino {openvino.__version__}', error) from error
    info = model.get_rt_info()
    strings = _plain(info[RT_INFO]) if RT_INFO in info else {}
    names = [output.get_any_name() for output in compiled.outputs]

    def run(image: Tensor) -> dict[str, Tensor]:
        return _by_name(names, list(compiled([image.numpy()]).values()))

    return Runtime({key: str(_plain(value)) for key, value in strings.items()}, run)


def _plain(value: Any) -> Any:
    return getattr(value, 'value', value)


def _load_pt2(path: Path, device: torch.device) -> Runtime:
    import json

    # A graph with deformable convolution has torchvision's operator.
    import torchvision  # noqa: F401

    extra = {METADATA_FILE: ''}
    try:
        program = torch.export.load(path, extra_files=extra)
    except Exception as error:  # of a file that is none, zipfile's, json's, torch's
        raise _refused(path, f'PyTorch {torch.__version__}', error) from error
    strings = json.loads(extra[METADATA_FILE] or '{}')
    module, names = program.module(), json.loads(strings.get('outputs', '[]'))

    def run(image: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            return dict(zip(names, module(image), strict=True))

    return Runtime(strings, run)


def _by_name(names: list[str], outputs: list[np.ndarray]) -> dict[str, Tensor]:
    # Copied: some runtimes write the next image's outputs to the same place.
    return {name: torch.tensor(value) for name, value in zip(names, outputs, strict=True)}


def _refused(path: Path, runtime: str, error: Exception) -> UserError:
    reason = ' '.join(str(error).split())
    return UserError(f'{runtime} cannot load {path}: {reason[:300]}')
