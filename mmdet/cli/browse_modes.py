"""What `mmdet-solo browse` draws of a sample, by mode."""

from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.structures import InstanceData

from mmdet.datasets.dataset_wrappers import innermost
from mmdet.datasets.image_file import UnreadableError
from mmdet.datasets.recording import record
from mmdet.datasets.transforms import LoadAnnotations, LoadImageFromFile
from mmdet.datasets.transforms.instances import select_instances
from mmdet.errors import UserError
from mmdet.models.assigners import Fate, grid_coverage, locate_instances
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmdet.visualization.panels import Panel, resized, sheet, size_within
from mmdet.visualization.targets import draw_targets


class Picture(NamedTuple):
    """A picture of a sample.

    Attributes:
        path: of the sample's image.
        image: (h, w, 3) uint8 RGB.
    """

    path: str
    image: np.ndarray


class Mode:
    """Draws what it finds of a sample; as a base class, the sample as the pipeline gives it.

    Args:
        dataset: of which samples are drawn.
    """

    def __init__(self, dataset: BaseDataset) -> None:
        self.dataset = dataset
        self.visualizer = DetLocalVisualizer()
        self.visualizer.dataset_meta = dataset.metainfo

    def __call__(self, index: int) -> Picture:
        """Draw the sample of an index."""
        item = self.dataset[index]
        sample = item['data_samples']
        return Picture(sample.img_path, self.draw(_as_image(item), sample.get('gt_instances')))

    def summary(self) -> str:
        """Return a line about all samples that were drawn, if there is more to say of them."""
        return ''

    def draw(self, image: np.ndarray, instances: InstanceData | None) -> np.ndarray:
        """Return an (h, w, 3) BGR image with its masks, if it has any, as RGB."""
        sample = DetDataSample()
        if instances is not None:
            sample.gt_instances = instances
        self.visualizer.add_datasample('', image[..., ::-1], sample, draw_pred=False)
        return self.visualizer.get_image()


class Original(Mode):
    """The image as it lies on the disk, with all of its annotations, crowd regions too.

    It is read by the loader of the data set's own pipeline.
    """

    def __init__(self, dataset: BaseDataset) -> None:
        super().__init__(dataset)
        pipelines = (getattr(each, 'pipeline', None) for each in innermost(dataset))
        steps = (step for each in pipelines if each is not None for step in each.transforms)
        loaders = (step for step in steps if isinstance(step, LoadImageFromFile))
        self.loader = next(loaders, LoadImageFromFile())

    def __call__(self, index: int) -> Picture:
        info = self.dataset.get_data_info(index)
        results = self.loader.transform(info)
        if results is None:
            raise UnreadableError(f'{info["img_path"]} is missing or broken')
        results = LoadAnnotations(with_mask=True).transform(results)
        return Picture(info['img_path'], self.draw(results['img'], _instances(results)))


class Pipeline(Mode):
    """The sample after each step of its pipeline, all at one scale."""

    side = 640  # pixels of the largest one

    def __init__(self, dataset: BaseDataset) -> None:
        super().__init__(dataset)
        self.runs = record(dataset)

    def __call__(self, index: int) -> Picture:
        self.runs.clear()
        path = self.dataset[index]['data_samples'].img_path
        stages = [
            stage for run in self.runs for stage in run if {'img', 'inputs'} & {*stage.results}
        ]
        images = [_as_image(stage.results) for stage in stages]
        largest = max((image.shape[:2] for image in images), key=max)
        factor = max(size_within(largest, self.side, enlarge=4)) / max(largest)
        panels = []
        for stage, image in zip(stages, images, strict=True):
            height, width = image.shape[:2]
            size = (max(1, round(height * factor)), max(1, round(width * factor)))
            instances, ignored = _wanted(stage.results)
            count = '' if instances is None else f', {len(instances)} objects'
            count += f', {ignored} ignored' if ignored else ''
            picture = self.draw(resized(image, size), instances)
            panels.append(Panel(f'{stage.name}: {width} x {height}{count}', picture))
        return Picture(path, sheet(panels, columns=3))


class Targets(Mode):
    """What the network sees of the sample, alone in its batch, and which cells learn what of it.

    Args:
        dataset: of a training.
        cfg: its config, whose preprocessor and head decide.

    Raises:
        UserError: it has none; when drawing, a sample has no masks.
    """

    def __init__(self, dataset: BaseDataset, cfg: Config) -> None:
        super().__init__(dataset)
        for part in ('data_preprocessor', 'mask_head'):
            if not cfg.model.get(part):
                raise UserError(f'--mode targets is for a SOLO model, which has a {part}')
        self.preprocessor = MODELS.build(cfg.model['data_preprocessor'])
        self.head = MODELS.build(cfg.model['mask_head'])
        self.fates = torch.zeros(len(Fate), dtype=torch.long)

    def __call__(self, index: int) -> Picture:
        item = self.dataset[index]
        batch = dict(inputs=[item['inputs']], data_samples=[item['data_samples']])
        batch = self.preprocessor(batch, training=True)
        (sample,) = batch['data_samples']
        instances = sample.get('gt_instances', InstanceData())
        found = grid_coverage(
            locate_instances([instances]),
            image_sizes=[sample.batch_input_shape],
            num_grids=self.head.num_grids,
            scale_ranges=self.head.scale_ranges,
            pos_scale=self.head.pos_scale,
        )
        self.fates += found.fates.bincount(minlength=len(Fate))
        classes = self.dataset.metainfo['classes']
        picture = draw_targets(
            self.preprocessor.picture(batch['inputs'][0]),
            instances.masks.pad(sample.batch_input_shape),
            [classes[label] for label in instances.labels.tolist()],
            instances.bboxes.numpy(),
            found,
            self.head.scale_ranges,
        )
        return Picture(sample.img_path, picture)

    def summary(self) -> str:
        learnt, empty, no_range, lost = self.fates.tolist()
        number = sum(self.fates.tolist())
        return (
            f'{learnt} of {number} objects have a cell; {no_range} are in no range of scale_ranges,'
            f' {lost} lost all their cells to later ones, {empty} have an empty mask'
        )


def _as_image(results: dict) -> np.ndarray:
    """Return the (h, w, 3) BGR image of a pipeline's results, packed or not."""
    if 'inputs' in results:
        return results['inputs'].permute(1, 2, 0).numpy()
    return results['img']


def _wanted(results: dict) -> tuple[InstanceData | None, int]:
    """Return the instances to learn of a pipeline's results, if there are any yet.

    And how many others there are, which are ignored.
    """
    if 'data_samples' in results:
        return results['data_samples'].get('gt_instances'), 0
    if 'gt_masks' not in results:
        return None, 0
    ignored = results['gt_ignore_flags']
    return _instances(select_instances(results, ~ignored)), int(ignored.sum())


def _instances(results: dict) -> InstanceData:
    labels = torch.from_numpy(results['gt_bboxes_labels'])
    return InstanceData(labels=labels, masks=results['gt_masks'])
