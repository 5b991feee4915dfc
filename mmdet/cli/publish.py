"""`mmdet-solo publish`: the file to hand out, made of a training's checkpoint."""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.logging import HistoryBuffer

from mmdet.engine.checkpoint import embedded_config, read_checkpoint, to_plain
from mmdet.engine.checkpoint.embedded_config import KEY
from mmdet.engine.checkpoint.write import encode
from mmdet.engine.config import read_config
from mmdet.errors import UserError
from mmdet.utils.files import write_whole

NOTES = """\
Of a checkpoint, state_dict and meta are kept: the weights, which are the averaged ones where
EMAHook ran, and what the training was: its config, its classes. The optimizer's state is left out.
OUT gets the first 8 digits of the file's SHA-256 in its name, OUT-1a2b3c4d.pth; named
OUT.safetensors, it is of that format, with meta as JSON in its metadata.

Metrics are those of the validation of these very weights, as a best_*.pth holds them. Any other
checkpoint was saved before its validation: test it, and name its metrics.json.
"""
_TIMES = ('time', 'data_time')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description="Make the file to hand out of a training's checkpoint",
        epilog=NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('source', metavar='IN', help='checkpoint file')
    parser.add_argument('target', metavar='OUT', help='file to write: .pth, or .safetensors')
    parser.add_argument(
        '--save-keys',
        nargs='+',
        default=['meta', 'state_dict'],
        metavar='KEY',
        help='what to keep of IN (meta state_dict)',
    )
    parser.add_argument('--config', help='for a checkpoint that carries none')
    parser.add_argument('--metrics', metavar='FILE', help='the metrics.json that testing IN left')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> Path:
    """Publish, and return the file.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    stem, suffix = args.target.removesuffix('.pth'), '.pth'
    if args.target.endswith('.safetensors'):
        stem, suffix = args.target.removesuffix('.safetensors'), '.safetensors'
    if args.target.endswith('/') or Path(args.target).is_dir() or not Path(stem).name:
        raise UserError(f'OUT {args.target} is a folder: name a file in it, such as solo.pth')
    if not Path(stem).absolute().parent.is_dir():
        raise UserError(f'the folder of {args.target} does not exist')
    checkpoint = read_checkpoint(args.source, map_location='cpu')
    meta, said = _meta(checkpoint, args) if 'meta' in args.save_keys else ({}, [])
    more = _more(checkpoint, args.save_keys, source=args.source)
    if more and suffix == '.safetensors':
        raise UserError(f'safetensors has no place for {", ".join(more)}: name a .pth file')
    weights = {name: value.detach() for name, value in checkpoint['state_dict'].items()}
    try:
        content = encode(weights, meta, safetensors=suffix == '.safetensors', more=more)
    except TypeError as error:
        raise UserError(f'meta of {args.source} is not JSON: {error}: name a .pth file') from None
    target = Path(f'{stem}-{hashlib.sha256(content).hexdigest()[:8]}{suffix}')
    if target.exists() and target.samefile(Path(args.source).expanduser()):
        raise UserError(f'{args.source} is published already, and would be overwritten by itself')
    write_whole(target, content)
    print(*said, f'{len(weights)} parameters and buffers: {target}', sep='\n')
    return target


def _more(checkpoint: Mapping, keys: Sequence[str], *, source: str) -> dict:
    """Return what is to be kept beside the weights and `meta`."""
    if 'state_dict' not in keys:
        raise UserError('--save-keys without state_dict: there would be no weights')
    others = [key for key in keys if key not in ('meta', 'state_dict')]
    if unknown := [key for key in others if key not in checkpoint]:
        raise UserError(f'{source} has no {", ".join(unknown)}; it has {", ".join(checkpoint)}')
    return {key: to_plain(checkpoint[key], name=key) for key in others}


def _meta(checkpoint: Mapping, args: argparse.Namespace) -> tuple[dict, list[str]]:
    """Return what the training was, and lines that say what is missing."""
    carried = checkpoint.get('meta')
    meta = dict(carried) if isinstance(carried, Mapping) else {}
    said: list[str] = []
    try:
        if args.config:
            cfg = read_config(args.config)
            meta['cfg'] = cfg.pretty_text
        else:
            cfg = embedded_config(checkpoint, source=args.source)
        meta[KEY] = cfg.to_dict()
    except UserError as error:
        if args.config:
            raise
        said.append(f'warning: {error}, by --config')
    metrics = _read_metrics(args.metrics) if args.metrics else _noted_metrics(checkpoint)
    if metrics:
        meta['metrics'] = metrics
    elif 'metrics' not in meta:
        said.append(
            f'warning: published without metrics: {args.source} knows none of its own; test it, '
            'and name its metrics.json with --metrics'
        )
    plain = to_plain(meta, name='meta')
    assert isinstance(plain, dict)  # a dict stays one
    return plain, said


def _read_metrics(path: str) -> dict:
    try:
        metrics = json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise UserError(f'--metrics {path} does not exist') from None
    except ValueError as error:
        raise UserError(f'--metrics {path} is not JSON: {error}') from None
    if not isinstance(metrics, dict):
        raise UserError(f'--metrics {path} is not what testing leaves: figures by name')
    return metrics


def _noted_metrics(checkpoint: Mapping) -> dict:
    """Return the figures that were known when the checkpoint was saved, if they are of it.

    They are if it was saved by a validation, which is over before the next step changes the
    weights. One that was saved by training holds the figures of an earlier validation.
    """
    hub = checkpoint.get('message_hub')
    if not isinstance(hub, Mapping) or hub['runtime_info'].get('loop_stage') != 'val':
        return {}
    figures = {
        name.removeprefix('val/'): history.current()
        for name, history in hub['log_scalars'].items()
        if name.startswith('val/') and isinstance(history, HistoryBuffer)
    }
    return {name: float(value) for name, value in figures.items() if name not in _TIMES}
