import io

import cv2
import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.visualization.confusion_matrix import check_color_theme, confusion_matrix_figure

SHARES = np.array([[0.75, 0.25, 0], [np.nan] * 3, [0.1, 0.9, 0]])


def test_numbers_stand_in_their_cells_in_percent_of_the_row():
    axes = confusion_matrix_figure(SHARES, ['a', 'b', 'background']).axes[0]
    cells = {each.get_position(): each.get_text() for each in axes.texts}
    assert cells[0, 0] == '75' and cells[1, 0] == '25' and cells[1, 2] == '90'
    assert len(cells) == 4  # none where there is nothing
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ['a', 'b', 'background']
    # White on dark cells, black on bright ones: plasma is bright at 90.
    colors = {each.get_position(): each.get_color() for each in axes.texts}
    assert (colors[0, 2], colors[1, 2]) == ('white', 'black')


def test_very_many_classes_fit_into_a_picture():
    figure = confusion_matrix_figure(np.eye(300), [f'class {i}' for i in range(300)])
    assert figure.get_size_inches().max() < 50
    assert not figure.axes[0].texts


def test_the_picture_has_the_colours_of_the_theme():
    content = io.BytesIO()
    figure = confusion_matrix_figure(np.eye(3), ['a', 'b', 'c'], color_theme='gray')
    figure.savefig(content, format='png', dpi=50)
    image = cv2.imdecode(np.frombuffer(content.getvalue(), np.uint8), cv2.IMREAD_COLOR)
    assert (image == 0).all(2).mean() > 0.1


def test_a_theme_that_is_none():
    check_color_theme('plasma')
    with pytest.raises(UserError, match=r"no color theme 'x'; some that it has: plasma, viridis"):
        check_color_theme('x')
