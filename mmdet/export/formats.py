"""From a detector to a file of ONNX, torch.export or OpenVINO."""

import json
import logging
import os
import tempfile
import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from torch.export import Dim, ExportedProgram

from mmdet.errors import UserError, missing_package
from mmdet.models.detectors import SOLO

from .metadata import MIN_DYNAMIC_SIDE, Metadata, describe, scale_of_tests
from .network import OUTPUTS, ExportableDetector
from .raw import RawHeads
from .runtimes import FORMATS, METADATA_FILE, RT_INFO

# Deformable convolution came with 19. What later versions add, the graph does not use.
_OPSET = 20
_STRIDE = 32
_MAX_DYNAMIC_SIDE = 4096
# Whatever the limits in the config: Matrix NMS compares each candidate with every other.
_DEFAULT_CANDIDATES = 500


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """What kind of graph is exported.

    Attributes:
        size: (height, width) of the input, multiples of 32; by default what the test pipeline
            resizes images to, padded, or any where it resizes them to no size of their own.
        dynamic: any height and width instead.
        half: weights and most of the computation in float16.
        raw: the heads alone; see `RawHeads`.
        num_candidates: see `ExportableDetector`; by default `nms_pre`, or 500 if that is no limit.

    Raises:
        UserError: they contradict each other or the network.
    """

    size: tuple[int, int] | None = None
    dynamic: bool = False
    half: bool = False
    raw: bool = False
    num_candidates: int | None = None

    def __post_init__(self) -> None:
        if self.size and self.dynamic:
            raise UserError('--size and --dynamic contradict each other: leave one of them out')
        if self.size and any(side < _STRIDE or side % _STRIDE for side in self.size):
            near = [max(_STRIDE, round(side / _STRIDE) * _STRIDE) for side in self.size]
            raise UserError(
                f'--size {self.size[0]} {self.size[1]}: height and width are multiples of '
                f'{_STRIDE}, such as --size {near[0]} {near[1]}'
            )
        if self.num_candidates is not None and self.num_candidates < 1:
            raise UserError(f'--candidates {self.num_candidates}: at least 1')


def export_detector(
    model: SOLO,
    cfg: Config,
    dataset_meta: Mapping,
    path: str | Path,
    *,
    format: str = 'onnx',
    settings: ExportSettings = ExportSettings(),  # frozen
) -> Metadata:
    """Write a detector to a file.

    Args:
        model: a detector on the CPU; it is not changed.
        cfg: its config.
        dataset_meta: its `classes`, and perhaps `palette`.
        path: the file, with the suffix that `FORMATS` says; OpenVINO writes a `.bin` beside it.
        format: one of `FORMATS`.
        settings: what kind of graph.

    Returns:
        The metadata in the file.

    Raises:
        UserError: a package is not installed, the file cannot be written, or the model has a part
            that the format does not know.
    """
    path = Path(path)
    _check_target(path, format)
    size = None if settings.dynamic else settings.size or _size_of(cfg)
    path.parent.mkdir(parents=True, exist_ok=True)
    # What is half written must not look like a model. A folder that cannot be written shows now.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix='.export-') as folder:
        with torch.no_grad():
            graph, names = _graph(deepcopy(model).eval(), settings)
            program = _trace(graph, size)
        metadata = describe(
            graph.model,
            cfg,
            dataset_meta,
            size=size,
            num_candidates=getattr(graph, 'num_candidates', 0),
            half=settings.half,
            raw=settings.raw,
            outputs=names,
        )
        write = dict(zip(FORMATS, (_write_onnx, _write_pt2, _write_openvino), strict=True))
        write[format](program, Path(folder, path.name), metadata)
        for file in Path(folder).iterdir():
            os.replace(file, path.parent / file.name)
    return metadata


def _check_target(path: Path, format: str) -> None:
    if format not in FORMATS:
        raise UserError(f'there is no format {format!r}, only {", ".join(FORMATS)}')
    if path.suffix != FORMATS[format]:
        raise UserError(f'--out {path}: a file of {format} ends in {FORMATS[format]}')
    packages = dict(
        onnx=('onnx', 'onnxscript', 'onnxruntime'), openvino=('onnx', 'onnxscript', 'openvino')
    )
    for package in packages.get(format, ()):
        try:
            __import__(package)
        except ImportError:
            raise missing_package(f'--format {format} needs {package}', 'export') from None


def _size_of(cfg: Config) -> tuple[int, int] | None:
    """Return the (height, width) that a landscape image has after the test pipeline, padded.

    None: it resizes images by a factor, or not at all, so that they have any size.
    """
    scale = scale_of_tests(cfg)
    if scale is None:
        return None
    width, height = (-(-side // _STRIDE) * _STRIDE for side in scale)
    return height, width


def _graph(
    model: SOLO, settings: ExportSettings
) -> tuple[ExportableDetector | RawHeads, tuple[str, ...]]:
    if settings.raw:
        heads = RawHeads(model, half=settings.half).eval()
        return heads, heads.names()
    head = model.mask_head
    wanted = settings.num_candidates or head.decode_cfg.nms_pre
    pairs = head.num_classes * sum(grid**2 for grid in head.num_grids)
    number = min(wanted if wanted > 0 else _DEFAULT_CANDIDATES, pairs)
    return ExportableDetector(model, num_candidates=number, half=settings.half).eval(), OUTPUTS


def _trace(graph: torch.nn.Module, size: tuple[int, int] | None) -> ExportedProgram:
    if size:
        return torch.export.export(graph, (torch.zeros(1, 3, *size),))
    sides = [
        _STRIDE * Dim(name, min=MIN_DYNAMIC_SIDE // _STRIDE, max=_MAX_DYNAMIC_SIDE // _STRIDE)
        for name in ('rows', 'columns')
    ]
    # No two sizes in the network are the same for this image, nor any that of a grid.
    image = torch.zeros(1, 3, 7 * _STRIDE, 11 * _STRIDE)
    return torch.export.export(graph, (image,), dynamic_shapes=({2: sides[0], 3: sides[1]},))


def _write_pt2(program: ExportedProgram, path: Path, metadata: Metadata) -> None:
    strings = json.dumps(metadata.to_strings())
    torch.export.save(program, path, extra_files={METADATA_FILE: strings})


def _write_onnx(program: ExportedProgram, path: Path, metadata: Metadata) -> None:
    logging.getLogger('onnxscript').setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # onnxscript's and PyTorch's words to each other.
        warnings.simplefilter('ignore')
        exported = torch.onnx.export(
            program,
            (),
            dynamo=True,
            opset_version=_OPSET,
            input_names=['image'],
            output_names=list(metadata.outputs),
            verbose=False,
        )
    assert exported is not None  # it is None only without `dynamo`
    exported.model.producer_name = 'mmdet-solo'
    exported.model.metadata_props.update(metadata.to_strings())
    exported.save(path, external_data=False)


def _write_openvino(program: ExportedProgram, path: Path, metadata: Metadata) -> None:
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        onnx_path = Path(folder, 'model.onnx')
        _write_onnx(program, onnx_path, metadata)
        model = openvino.convert_model(onnx_path)
        for name, value in metadata.to_strings().items():
            model.set_rt_info(value, [RT_INFO, name])
        openvino.save_model(model, path, compress_to_fp16=metadata.half)
