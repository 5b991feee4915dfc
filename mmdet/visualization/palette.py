"""Colours for classes."""

import colorsys


def distinct_colors(number: int) -> list[tuple[int, int, int]]:
    """Return RGB colours in [0, 255] of which neighbours in the list are easy to tell apart."""
    # The golden ratio spreads hues so that any first few of them are far from each other.
    golden = 0.618033988749895
    colors = []
    for index in range(number):
        lightness, saturation = ((0.5, 0.95), (0.65, 0.85), (0.4, 0.8))[index % 3]
        color = colorsys.hls_to_rgb(index * golden % 1, lightness, saturation)
        colors.append(tuple(round(255 * part) for part in color))
    return colors
