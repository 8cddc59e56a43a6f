"""``tf.image``: images resized, cropped, turned, coloured, compared, decoded; boxes in images."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.image.augmentation import random_brightness as random_brightness
from fastgrad._src.image.augmentation import random_contrast as random_contrast
from fastgrad._src.image.augmentation import random_crop as random_crop
from fastgrad._src.image.augmentation import random_flip_left_right as random_flip_left_right
from fastgrad._src.image.augmentation import random_flip_up_down as random_flip_up_down
from fastgrad._src.image.augmentation import random_hue as random_hue
from fastgrad._src.image.augmentation import random_saturation as random_saturation
from fastgrad._src.image.augmentation import stateless_random_brightness as stateless_random_brightness
from fastgrad._src.image.augmentation import stateless_random_contrast as stateless_random_contrast
from fastgrad._src.image.augmentation import stateless_random_crop as stateless_random_crop
from fastgrad._src.image.boxes import crop_and_resize as crop_and_resize
from fastgrad._src.image.boxes import draw_bounding_boxes as draw_bounding_boxes
from fastgrad._src.image.boxes import sample_distorted_bounding_box as sample_distorted_bounding_box
from fastgrad._src.image.boxes import (
    stateless_sample_distorted_bounding_box as stateless_sample_distorted_bounding_box,
)
from fastgrad._src.image.codecs import adjust_jpeg_quality as adjust_jpeg_quality
from fastgrad._src.image.codecs import decode_and_crop_jpeg as decode_and_crop_jpeg
from fastgrad._src.image.codecs import decode_bmp as decode_bmp
from fastgrad._src.image.codecs import decode_gif as decode_gif
from fastgrad._src.image.codecs import decode_image as decode_image
from fastgrad._src.image.codecs import decode_jpeg as decode_jpeg
from fastgrad._src.image.codecs import decode_png as decode_png
from fastgrad._src.image.codecs import encode_jpeg as encode_jpeg
from fastgrad._src.image.codecs import encode_png as encode_png
from fastgrad._src.image.codecs import extract_jpeg_shape as extract_jpeg_shape
from fastgrad._src.image.colors import adjust_brightness as adjust_brightness
from fastgrad._src.image.colors import adjust_contrast as adjust_contrast
from fastgrad._src.image.colors import adjust_hue as adjust_hue
from fastgrad._src.image.colors import adjust_saturation as adjust_saturation
from fastgrad._src.image.colors import convert_image_dtype as convert_image_dtype
from fastgrad._src.image.colors import grayscale_to_rgb as grayscale_to_rgb
from fastgrad._src.image.colors import hsv_to_rgb as hsv_to_rgb
from fastgrad._src.image.colors import per_image_standardization as per_image_standardization
from fastgrad._src.image.colors import rgb_to_grayscale as rgb_to_grayscale
from fastgrad._src.image.colors import rgb_to_hsv as rgb_to_hsv
from fastgrad._src.image.colors import rgb_to_yuv as rgb_to_yuv
from fastgrad._src.image.geometry import ResizeMethod as ResizeMethod
from fastgrad._src.image.geometry import central_crop as central_crop
from fastgrad._src.image.geometry import crop_to_bounding_box as crop_to_bounding_box
from fastgrad._src.image.geometry import extract_patches as extract_patches
from fastgrad._src.image.geometry import flip_left_right as flip_left_right
from fastgrad._src.image.geometry import flip_up_down as flip_up_down
from fastgrad._src.image.geometry import pad_to_bounding_box as pad_to_bounding_box
from fastgrad._src.image.geometry import resize as resize
from fastgrad._src.image.geometry import resize_with_crop_or_pad as resize_with_crop_or_pad
from fastgrad._src.image.geometry import resize_with_pad as resize_with_pad
from fastgrad._src.image.geometry import rot90 as rot90
from fastgrad._src.image.geometry import transpose as transpose
from fastgrad._src.image.quality import image_gradients as image_gradients
from fastgrad._src.image.quality import psnr as psnr
from fastgrad._src.image.quality import sobel_edges as sobel_edges
from fastgrad._src.image.quality import ssim as ssim
from fastgrad._src.image.quality import total_variation as total_variation
from fastgrad._src.image.suppression import combined_non_max_suppression as combined_non_max_suppression
from fastgrad._src.image.suppression import non_max_suppression as non_max_suppression
from fastgrad._src.image.suppression import non_max_suppression_padded as non_max_suppression_padded
from fastgrad._src.image.suppression import non_max_suppression_with_scores as non_max_suppression_with_scores

__getattr__, __dir__ = _namespace_hooks("tf.image", globals())
