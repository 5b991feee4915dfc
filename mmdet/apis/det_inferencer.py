"""mmdetection 3.x's inferencer: pictures in, dicts, drawings and files out."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.registry import DefaultScope
from rich.progress import track

from mmdet.datasets.image_file import read_image
from mmdet.engine.config import read_config
from mmdet.engine.config.shipped import shipped_configs
from mmdet.errors import UserError
from mmdet.structures import DetDataSample
from mmdet.structures.segmentation import json_rle
from mmdet.utils import ConfigType
from mmdet.utils.files import write_whole
from mmdet.visualization.image_file import picture_suffix
from mmdet.visualization.palette import ColorChoice
from mmdet.visualization.window import check_window

from .base_inferencer import BaseDetInferencer, Input
from .detector import default_device
from .inference import with_bitmaps
from .outputs import FlatNames

_CONFIGS = ('', '.py', '.yaml', '.yml', '.json')


class DetInferencer(BaseDetInferencer):
    """A trained detector, called with pictures.

    It is mmengine's inferencer with mmdetection's arguments and results, so that subclasses
    written for mmdetection's find the methods that they replace.

    Args:
        model: a config file's path, a shipped config's name, a config, or a checkpoint that
            carries its config.
        weights: the checkpoint; without a model it must carry its config.
        device: by default the first GPU that PyTorch sees, else the CPU.
        scope: `mmdet`, as there are no others; what a config imports registers itself there.
        palette: the classes' colours, see `named_palette`.
        show_progress: show a bar over the batches.

    Attributes:
        model: with `cfg` and `dataset_meta`.
        cfg: its config.

    Raises:
        UserError: there is neither a model nor weights, another scope, or as in `init_detector`.
    """

    visualize_kwargs: set = {
        'return_vis',
        'show',
        'wait_time',
        'draw_pred',
        'pred_score_thr',
        'img_out_dir',
        'no_save_vis',
    }
    postprocess_kwargs: set = {
        'print_result',
        'pred_out_dir',
        'return_datasamples',
        'no_save_pred',
    }

    def __init__(
        self,
        model: str | Path | ConfigType | dict | None = None,
        weights: str | Path | None = None,
        device: str | None = None,
        scope: str = 'mmdet',
        palette: ColorChoice = 'none',
        show_progress: bool = True,
    ) -> None:
        if isinstance(model, str | Path) and Path(model).suffix not in _CONFIGS:
            if weights is not None:
                raise UserError(f'two checkpoints are named, {model} and {weights}')
            model, weights = None, model
        if model is None and weights is None:
            raise UserError('DetInferencer needs a model, weights, or both')
        _check_scope(scope)
        self.palette = palette
        self.num_visualized_imgs = 0
        self.num_predicted_imgs = 0
        self._names: dict[str, FlatNames] = {}  # of each folder
        with DefaultScope.overwrite_default_scope(scope):
            super().__init__(
                model=read_config(str(model)) if isinstance(model, str | Path) else model,
                weights=None if weights is None else str(weights),
                device=device or default_device(),
                scope=scope,
                show_progress=show_progress,
            )
        self.cfg = self.model.cfg

    @staticmethod
    def list_models(scope: str = 'mmdet', patterns: str = '.*') -> list[str]:
        """Return the names of the shipped configs that begin with what a pattern matches.

        Args:
            scope: `mmdet`, as there are no others.
            patterns: a regular expression.

        Raises:
            UserError: another scope.
        """
        _check_scope(scope)
        return [name for name in shipped_configs() if re.match(patterns, name)]

    def __call__(
        self,
        inputs: Input | Sequence[Input],
        batch_size: int = 1,
        return_vis: bool = False,
        show: bool = False,
        wait_time: float = 0,
        no_save_vis: bool = False,
        draw_pred: bool = True,
        pred_score_thr: float = 0.3,
        return_datasamples: bool = False,
        print_result: bool = False,
        no_save_pred: bool = True,
        out_dir: str = '',
        **kwargs: object,
    ) -> dict:
        """Find the instances in pictures.

        Args:
            inputs: a path or an address, a folder, a (h, w, 3) uint8 BGR array, or a list of these
                but folders.
            batch_size: how many pictures go through the network together, where they have one
                size. It changes no result.
            return_vis: return the drawn pictures.
            show: show them in a window.
            wait_time: go on after so many seconds; 0 waits until the window is closed.
            no_save_vis: do not write the drawn pictures, though there is an `out_dir`.
            draw_pred: draw the instances.
            pred_score_thr: do not draw what scores less; `predictions` have it.
            return_datasamples: `predictions` are samples, as `inference_detector` returns them.
            print_result: print the predictions.
            no_save_pred: do not write the predictions, though there is an `out_dir`.
            out_dir: where `vis/NAME.jpg` and `preds/NAME.json` go. A name that another picture has
                gets a number, which the log says.
            **kwargs: what the `..._kwargs` of a subclass name, for its methods.

        Returns:
            `predictions`, a dict each of `labels` (N), `scores` (N), `bboxes` (N, 4) xyxy around
            the masks, and `masks`, N RLEs with text as counts, ready for JSON; and
            `visualization`, (h, w, 3) uint8 RGB each, empty unless `return_vis`.

        Raises:
            UserError: an input cannot be read, no window be opened, or `batch_size` is below 1.
        """
        if not isinstance(batch_size, int) or batch_size < 1:
            raise UserError(f'batch_size is {batch_size}: it takes a whole number from 1')
        more = self._dispatch_kwargs(**kwargs)
        for_preprocess, for_forward, for_visualize, for_postprocess = more
        images = self._inputs_to_list(inputs)
        batches = self.preprocess(images, batch_size=batch_size, **for_preprocess)
        if self.show_progress:
            total = -(-len(images) // batch_size)
            batches = track(batches, description='Inference', total=total)
        results: dict[str, list] = dict(predictions=[], visualization=[])
        for originals, data in batches:
            preds = self.forward(data, **for_forward)
            visualization = self.visualize(
                originals,
                preds,
                return_vis=return_vis,
                show=show,
                wait_time=wait_time,
                draw_pred=draw_pred,
                pred_score_thr=pred_score_thr,
                no_save_vis=no_save_vis,
                img_out_dir=out_dir,
                **for_visualize,
            )
            result = self.postprocess(
                preds,
                visualization,
                return_datasamples=return_datasamples,
                print_result=print_result,
                no_save_pred=no_save_pred,
                pred_out_dir=out_dir,
                **for_postprocess,
            )
            results['predictions'] += result['predictions']
            results['visualization'] += result['visualization'] or []
        return results

    def visualize(
        self,
        inputs: Sequence[str | np.ndarray],
        preds: Sequence[DetDataSample],
        return_vis: bool = False,
        show: bool = False,
        wait_time: float = 0,
        draw_pred: bool = True,
        pred_score_thr: float = 0.3,
        no_save_vis: bool = False,
        img_out_dir: str = '',
    ) -> list[np.ndarray] | None:
        """Draw what was found in a batch; see `__call__`."""
        folder = '' if no_save_vis else img_out_dir
        if not (return_vis or show or folder):
            return None
        if show:
            check_window()
        pictures = []
        for item, sample in zip(inputs, preds, strict=True):
            is_array = isinstance(item, np.ndarray)
            name = f'{self.num_visualized_imgs:08d}.jpg' if is_array else item
            file = self._file(folder, 'vis', name, picture_suffix(name)) if folder else None
            self.visualizer.add_datasample(
                name,
                (item if is_array else read_image(item))[..., ::-1],
                data_sample=sample,
                draw_gt=False,
                draw_pred=draw_pred,
                show=show,
                wait_time=wait_time,
                out_file=None if file is None else str(file),
                pred_score_thr=pred_score_thr,
            )
            self.num_visualized_imgs += 1
            if return_vis:
                pictures.append(self.visualizer.get_image())
        return pictures if return_vis else None

    def postprocess(
        self,
        preds: Sequence[DetDataSample],
        visualization: list[np.ndarray] | None = None,
        return_datasamples: bool = False,
        print_result: bool = False,
        no_save_pred: bool = False,
        pred_out_dir: str = '',
        return_datasample: bool = False,
    ) -> dict:
        """Make a result of a batch; see `__call__`.

        Args:
            preds: of `forward`.
            visualization: of `visualize`.
            return_datasamples: see `__call__`.
            print_result: see `__call__`.
            no_save_pred: see `__call__`.
            pred_out_dir: the `out_dir` of `__call__`.
            return_datasample: mmengine's name for `return_datasamples`.
        """
        folder = '' if no_save_pred else pred_out_dir
        dicts = [self.pred2dict(sample, folder) for sample in preds]
        if print_result:
            print(dict(predictions=dicts))
        as_samples = return_datasamples or return_datasample
        predictions = [with_bitmaps(sample) for sample in preds] if as_samples else dicts
        return dict(predictions=predictions, visualization=visualization)

    def pred2dict(self, data_sample: DetDataSample, pred_out_dir: str = '') -> dict:
        """Return a sample's prediction ready for JSON, and write it if there is a folder for it."""
        found = data_sample.pred_instances
        result = dict(
            labels=found.labels.tolist(),
            scores=found.scores.tolist(),
            bboxes=found.bboxes.tolist(),
            masks=[json_rle(rle) for rle in found.masks.rles],
        )
        if pred_out_dir:
            name = data_sample.get('img_path')
            if name is None:
                name = str(self.num_predicted_imgs)
                self.num_predicted_imgs += 1
            file = self._file(pred_out_dir, 'preds', name, '.json')
            write_whole(file, json.dumps(result).encode())
        return result

    def _file(self, folder: str, kind: str, path: str, suffix: str) -> Path:
        """Return `folder/kind/NAME suffix` for the picture at `path`, the same each time."""
        name = self._names.setdefault(folder, FlatNames()).of(path)
        return Path(folder, kind, name + suffix)


def _check_scope(scope: str) -> None:
    if scope != 'mmdet':
        raise UserError(f"there are models of 'mmdet' only, not of {scope!r}")
