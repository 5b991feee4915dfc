"""What transforms of several images ask of a `MultiImageMixDataset`."""

from mmdet.errors import UserError


def mixed_with(transform: object, results: dict, number: int) -> list[dict]:
    """Return the results of the other images.

    Raises:
        UserError: there are not so many.
    """
    others = results.get('mix_results', [])
    if len(others) != number:
        raise UserError(
            f'{type(transform).__name__} needs {number + 1} images: put it into the pipeline of a '
            'MultiImageMixDataset, and PackDetInputs only after it'
        )
    return others
