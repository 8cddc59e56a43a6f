"""Colour spaces of pixels with three channels, and their adjustments."""

from fastgrad._src.jit.body import round_down, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import nan_greatest, nan_least

FLOATS = ("float32", "float64")


@scalar_function
def greatest_channel(red, green, blue):
    """Returns the greatest channel, the first of equal ones."""
    later = green if green >= blue else blue
    return red if (red >= green) & (red >= blue) else later


@scalar_function
def least_channel(red, green, blue):
    """Returns the least channel, the last of equal ones."""
    earlier = green if green <= red else red
    return blue if (blue <= red) & (blue <= green) else earlier


@scalar_function
def hue_of(red, green, blue, value, spread):
    """Returns the hue in [0, 1): 0 for red, 1/3 for green, 2/3 for blue."""
    sixth = T(1 / 6) / (spread if spread > 0 else T(1))
    from_green = sixth * (blue - red) + T(2 / 6)
    from_blue = sixth * (red - green) + T(4 / 6)
    hue = sixth * (green - blue) if red == value else (from_green if green == value else from_blue)
    hue = hue + T(1) if hue < 0 else hue
    return hue if spread > 0 else T(0)


@scalar_function
def clipped_to_unit(x):
    """Returns x clipped to [0, 1]; keeps NaN."""
    return nan_greatest(nan_least(x, T(1)), T(0))


@scalar_function
def red_weight(hue):
    """Returns how much red the pure colour of a hue has, in [0, 1]."""
    return clipped_to_unit(abs(hue * T(6) - T(3)) - T(1))


@scalar_function
def green_weight(hue):
    """Returns how much green the pure colour of a hue has, in [0, 1]."""
    return clipped_to_unit(T(2) - abs(hue * T(6) - T(2)))


@scalar_function
def blue_weight(hue):
    """Returns how much blue the pure colour of a hue has, in [0, 1]."""
    return clipped_to_unit(T(2) - abs(hue * T(6) - T(4)))


@scalar_function
def write_rgb(out, at, hue, saturation, value):
    """Writes red, green and blue of hue, saturation and value."""
    white = T(1) - saturation
    out[at] = (white + saturation * red_weight(hue)) * value
    out[at + 1] = (white + saturation * green_weight(hue)) * value
    out[at + 2] = (white + saturation * blue_weight(hue)) * value


@kernel("x: in[T], out: out[T], first: int, last: int", noalias=True, T=FLOATS)
def hsv_of_rgb(x, out, first, last):
    """Writes hue, saturation and value of each pixel. A unit is a pixel."""
    for i in range(3 * first, 3 * last, 3):
        red, green, blue = x[i], x[i + 1], x[i + 2]
        value = greatest_channel(red, green, blue)
        spread = value - least_channel(red, green, blue)
        out[i] = hue_of(red, green, blue, value, spread)
        out[i + 1] = spread / (value if value > 0 else T(1)) if value > 0 else T(0)
        out[i + 2] = value


@kernel("x: in[T], out: out[T], first: int, last: int", noalias=True, T=FLOATS)
def rgb_of_hsv(x, out, first, last):
    """Writes red, green and blue of each pixel. A unit is a pixel."""
    for i in range(3 * first, 3 * last, 3):
        write_rgb(out, i, x[i], x[i + 1], x[i + 2])


@kernel("x: in[T], delta: in[T], out: out[T], first: int, last: int", noalias=True, T=FLOATS)
def adjusted_hue(x, delta, out, first, last):
    """Writes pixels with `delta` added to their hue. A unit is a pixel."""
    distance = delta[0]
    for i in range(3 * first, 3 * last, 3):
        red, green, blue = x[i], x[i + 1], x[i + 2]
        value, low = greatest_channel(red, green, blue), least_channel(red, green, blue)
        spread = value - low
        hue = hue_of(red, green, blue, value, spread) + distance
        hue = hue - round_down(hue)
        out[i] = low + spread * red_weight(hue)
        out[i + 1] = low + spread * green_weight(hue)
        out[i + 2] = low + spread * blue_weight(hue)


@kernel("x: in[T], factor: in[T], out: out[T], first: int, last: int", noalias=True, T=FLOATS)
def adjusted_saturation(x, factor, out, first, last):
    """Writes pixels with their saturation multiplied by `factor`, and clipped to [0, 1]. A unit is a pixel."""
    scale = factor[0]
    for i in range(3 * first, 3 * last, 3):
        red, green, blue = x[i], x[i + 1], x[i + 2]
        value = greatest_channel(red, green, blue)
        spread = value - least_channel(red, green, blue)
        saturation = spread / (value if value > 0 else T(1)) if value > 0 else T(0)
        write_rgb(out, i, hue_of(red, green, blue, value, spread), clipped_to_unit(saturation * scale), value)


@kernel(
    "x: in[T], means: in[T], factor: in[T], out: out[T], pixels: int, channels: int, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def adjusted_contrast(x, means, factor, out, pixels, channels, first, last):
    """Writes (x - mean) factor + mean, where means has the shape (images, channels). A unit is a row of `pixels`."""
    scale = factor[0]
    for unit in range(first, last):
        at, mean_at = unit * pixels * channels, unit * channels
        if channels == 3:  # three means in registers, so that the loop is vectorised
            red, green, blue = means[mean_at], means[mean_at + 1], means[mean_at + 2]
            for i in range(at, at + pixels * 3, 3):
                out[i] = (x[i] - red) * scale + red
                out[i + 1] = (x[i + 1] - green) * scale + green
                out[i + 2] = (x[i + 2] - blue) * scale + blue
        else:
            for p in range(pixels):
                for c in range(channels):
                    mean = means[mean_at + c]
                    i = at + p * channels + c
                    out[i] = (x[i] - mean) * scale + mean
