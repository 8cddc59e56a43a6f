"""IMDB: film reviews, labelled positive or negative (Maas et al. 2011)."""

from fastgrad._src.keras.datasets.imdb import *
from fastgrad._src.keras.datasets.imdb import __dir__ as __dir__
from fastgrad._src.keras.datasets.imdb import __getattr__ as __getattr__
