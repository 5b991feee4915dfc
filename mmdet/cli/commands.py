"""The table of sub-commands. It imports none of them: a list of them must not wait for torch."""

from typing import NamedTuple


class Command(NamedTuple):
    """A sub-command.

    Attributes:
        module: has its `main(argv)`.
        help: one line.
    """

    module: str
    help: str


COMMANDS = {
    'train': Command('mmdet.cli.train', 'train a detector'),
    'train-dist': Command('mmdet.cli.train_dist', 'train in several processes, one a GPU'),
    'test': Command('mmdet.cli.test', 'test a detector: figures, detections, pictures'),
    'publish': Command('mmdet.cli.publish', 'make the file to hand out of a checkpoint'),
    'convert': Command('mmdet.cli.convert', "turn another code base's checkpoint into ours"),
    'predict': Command('mmdet.cli.predict', 'predict: pictures, folders, videos, cameras, streams'),
    'browse': Command('mmdet.cli.browse', 'look at the images of a training with their masks'),
    'analyze-results': Command(
        'mmdet.cli.analyze_results', 'draw the images that a model does best and worst'
    ),
    'report': Command('mmdet.cli.report', 'say what is in the data, and what is amiss with it'),
    'eval-metric': Command(
        'mmdet.cli.eval_metric', 'the figures of a test, from the results file that it left'
    ),
    'confusion-matrix': Command(
        'mmdet.cli.confusion_matrix', 'count which class is taken for which'
    ),
    'error-analysis': Command(
        'mmdet.cli.error_analysis', 'say what AP would be without each kind of error'
    ),
    'analyze-logs': Command(
        'mmdet.cli.analyze_logs', 'draw the curves of trainings, or say what a step took'
    ),
    'benchmark': Command('mmdet.cli.benchmark', 'measure what a step takes, in time and memory'),
    'flops': Command('mmdet.cli.get_flops', 'count parameters and multiplications, by part'),
    'print-config': Command('mmdet.cli.print_config', 'print the settings that a config comes to'),
    'fit-grid': Command(
        'mmdet.cli.fit_grid', 'propose the grid and the input size that suit a data set'
    ),
    'check-coco': Command(
        'mmdet.cli.check_coco', 'name what is wrong in a data set, and repair it'
    ),
    'convert-data': Command('mmdet.cli.convert_data', 'write a data set in another format'),
    'export': Command('mmdet.cli.export', 'write a detector as ONNX, torch.export or OpenVINO'),
}
