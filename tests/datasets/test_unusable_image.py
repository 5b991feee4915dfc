from mmdet.datasets.unusable_image import UnusableImage, note_unusable, unusable_images_noted

A, B = (UnusableImage(f'{name}.jpg', f'image {name}.jpg does not exist') for name in 'ab')


def test_each_goes_to_the_innermost_that_listens():
    with unusable_images_noted() as outer:
        note_unusable(A)
        with unusable_images_noted() as inner:
            note_unusable(B)
        note_unusable(A)
    assert (outer, inner) == ([A, A], [B])


def test_after_an_error_nobody_listens(caplog):
    try:
        with unusable_images_noted() as noted:
            raise OSError
    except OSError:
        note_unusable(A)
    assert noted == []
