import pytest
import torch

from mmdet.ops import matrix_nms
from mmdet.ops.matrix_nms import matrix_nms_reference


def boxes(*rows: tuple[int, int]) -> torch.Tensor:
    """Masks of an 8 x 8 image that fill the rows from the first to before the second number."""
    masks = torch.zeros(len(rows), 8, 8, dtype=torch.bool)
    for mask, (first, last) in zip(masks, rows, strict=True):
        mask[first:last] = True
    return masks


def random_case(
    n: int, height: int, width: int, *, classes: int = 3, device: torch.device | str = 'cpu'
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Masks of all densities, their labels, and scores from high to low."""
    masks = torch.rand(n, height, width) < torch.rand(n, 1, 1)
    labels, scores = torch.randint(classes, (n,)), torch.rand(n).sort(descending=True).values
    return masks.to(device), labels.to(device), scores.to(device)


@pytest.fixture(params=['gaussian', 'linear'])
def kernel(request) -> str:
    return request.param


@pytest.fixture(params=[matrix_nms, matrix_nms_reference], ids=['op', 'reference'])
def nms(request):
    return request.param


def test_two_masks_by_hand(nms, kernel):
    scores = torch.tensor([0.9, 0.6])
    decayed = nms(boxes((0, 4), (1, 5)), torch.tensor([1, 1]), scores, kernel=kernel, sigma=0.5)
    iou = 3 / 5
    factor = torch.tensor(-0.5 * iou**2).exp() if kernel == 'gaussian' else 1 - iou
    torch.testing.assert_close(decayed, torch.stack((scores[0], scores[1] * factor)))


def test_a_suppressed_mask_suppresses_less(nms):
    # The second equals the first, so what it does to the third is compensated away, and the
    # third is decayed as if only the first were there.
    masks, labels = boxes((0, 4), (0, 4), (2, 6)), torch.zeros(3, dtype=torch.long)
    three = nms(masks, labels, torch.tensor([0.9, 0.8, 0.7]))
    two = nms(masks[[0, 2]], labels[:2], torch.tensor([0.9, 0.7]))
    torch.testing.assert_close(three[2], two[1])
    assert three[1] < 0.8 * 0.2


def test_a_third_copy_is_suppressed_like_the_second(nms, kernel):
    # Its pair with the second is 0 / 0 in the linear kernel.
    masks, labels = boxes((0, 4), (0, 4), (0, 4)), torch.zeros(3, dtype=torch.long)
    decayed = nms(masks, labels, torch.tensor([0.8, 0.8, 0.8]), kernel=kernel)
    torch.testing.assert_close(decayed[2], decayed[1])
    assert decayed[1] < 0.8 * 0.2


def test_other_classes_and_separate_masks_are_left_alone(nms):
    scores = torch.tensor([0.9, 0.8, 0.7])
    same_place = nms(boxes((0, 4), (0, 4), (0, 4)), torch.tensor([0, 1, 2]), scores)
    torch.testing.assert_close(same_place, scores)
    apart = nms(boxes((0, 2), (2, 4), (4, 8)), torch.tensor([0, 0, 0]), scores)
    torch.testing.assert_close(apart, scores)


@pytest.mark.parametrize('shape', [(0, 8, 8), (2, 0, 8)])
def test_nothing_to_compare(nms, kernel, shape):
    scores = torch.rand(shape[0])
    masks, labels = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape[0]).long()
    torch.testing.assert_close(nms(masks, labels, scores, kernel=kernel), scores)


@pytest.mark.parametrize(
    'shape', [(1, 1, 1), (2, 1, 64), (7, 5, 13), (70, 3, 1000), (65, 57, 120), (1000, 9, 11)]
)
@pytest.mark.parametrize('classes', [1, 3])
def test_kernel_agrees_with_the_reference(kernels, kernel, shape, classes):
    case = random_case(*shape, classes=classes, device=kernels)
    decayed = matrix_nms(*case, kernel=kernel)
    torch.testing.assert_close(decayed, matrix_nms_reference(*case, kernel=kernel))


@pytest.mark.parametrize('filled', [False, True])
def test_masks_all_empty_and_all_full(kernels, kernel, filled):
    masks, labels, scores = random_case(5, 9, 31, device=kernels)
    masks = torch.full_like(masks, filled)
    decayed = matrix_nms(masks, labels, scores, kernel=kernel)
    torch.testing.assert_close(decayed, matrix_nms_reference(masks, labels, scores, kernel=kernel))


def test_strided_arguments_and_small_types(kernels):
    masks, labels, scores = random_case(40, 20, 30, device=kernels)
    expected = matrix_nms(masks, labels, scores)
    strided = masks.mT.contiguous().mT, torch.stack((labels, labels), 1)[:, 0]
    assert not strided[0].is_contiguous()
    torch.testing.assert_close(matrix_nms(*strided, scores), expected)
    small = matrix_nms(masks, labels.to(torch.int32), scores.bfloat16())
    assert small.dtype == torch.float32
    torch.testing.assert_close(small, expected, atol=4e-3, rtol=0)


def test_compilers_see_through(kernels, kernel):
    case = random_case(10, 9, 11, device=kernels)
    torch.library.opcheck(torch.ops.mmdet_solo.matrix_nms, (*case, kernel, 2.0))
    compiled = torch.compile(matrix_nms, fullgraph=True, backend='aot_eager')
    torch.testing.assert_close(compiled(*case, kernel=kernel), matrix_nms(*case, kernel=kernel))


def test_the_host_does_not_wait(kernels):
    if kernels.type != 'cuda':
        pytest.skip('only a GPU runs on its own')
    case = random_case(10, 9, 11, device=kernels)
    torch.cuda.set_sync_debug_mode('error')
    try:
        matrix_nms(*case)
    finally:
        torch.cuda.set_sync_debug_mode('default')


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        (dict(kernel='box'), 'kernel'),
        (dict(sigma=-1.0), 'sigma'),
        (dict(masks=torch.zeros(1, 8, 8)), 'masks'),
        (dict(masks=torch.zeros(8, 8, dtype=torch.bool)), 'masks'),
        (dict(labels=torch.zeros(1)), 'labels'),
        (dict(labels=torch.zeros(0).long()), 'labels'),
        (dict(labels=torch.zeros(1, device='meta').long()), 'labels'),
        (dict(scores=torch.zeros(1).long()), 'scores'),
        (dict(scores=torch.zeros(2)), 'scores'),
    ],
)
def test_wrong_arguments_are_named(change, named):
    right = dict(masks=boxes((0, 1)), labels=torch.tensor([0]), scores=torch.tensor([0.5]))
    with pytest.raises(ValueError, match=f'^{named} '):
        matrix_nms(**{**right, **change})


@pytest.mark.parametrize(
    ('position', 'wrong', 'named'),
    [
        (0, torch.zeros(1, 8, 8), 'masks'),
        (1, torch.zeros(2).long(), 'labels'),
        (1, torch.zeros(1), 'labels'),
        (2, torch.zeros(1).double(), 'scores'),
        (3, 'box', 'kernel'),
        (4, -1.0, 'sigma'),
    ],
)
def test_the_kernel_itself_names_wrong_arguments(kernels, position, wrong, named):
    arguments = [boxes((0, 1)), torch.tensor([0]), torch.tensor([0.5]), 'gaussian', 2.0]
    arguments[position] = wrong
    on_device = [each.to(kernels) if torch.is_tensor(each) else each for each in arguments]
    with pytest.raises(RuntimeError, match=f'{named} must'):
        torch.ops.mmdet_solo.matrix_nms(*on_device)
