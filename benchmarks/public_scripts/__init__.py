"""Public TensorFlow scripts, unedited, under TensorFlow and under fastgrad: do both end, and with equal values?"""
