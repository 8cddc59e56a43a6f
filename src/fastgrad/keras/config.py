"""``keras.config``: settings of ``keras``."""

from fastgrad.keras.backend import backend as backend
from fastgrad.keras.settings import epsilon as epsilon
from fastgrad.keras.settings import floatx as floatx
from fastgrad.keras.settings import image_data_format as image_data_format
from fastgrad.keras.settings import set_epsilon as set_epsilon
from fastgrad.keras.settings import set_floatx as set_floatx
from fastgrad.keras.settings import set_image_data_format as set_image_data_format
