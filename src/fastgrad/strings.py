"""``tf.strings``: functions of strings, with TensorFlow's hashes and RE2's regular expressions."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.structures.strings.elements import join as join
from fastgrad._src.structures.strings.elements import length as length
from fastgrad._src.structures.strings.elements import lower as lower
from fastgrad._src.structures.strings.elements import strip as strip
from fastgrad._src.structures.strings.elements import substr as substr
from fastgrad._src.structures.strings.elements import to_number as to_number
from fastgrad._src.structures.strings.elements import upper as upper
from fastgrad._src.structures.strings.formatting import as_string as as_string
from fastgrad._src.structures.strings.formatting import format as format
from fastgrad._src.structures.strings.hashing import to_hash_bucket as to_hash_bucket
from fastgrad._src.structures.strings.hashing import to_hash_bucket_fast as to_hash_bucket_fast
from fastgrad._src.structures.strings.hashing import to_hash_bucket_strong as to_hash_bucket_strong
from fastgrad._src.structures.strings.regular_expressions import regex_full_match as regex_full_match
from fastgrad._src.structures.strings.regular_expressions import regex_replace as regex_replace
from fastgrad._src.structures.strings.splitting import bytes_split as bytes_split
from fastgrad._src.structures.strings.splitting import ngrams as ngrams
from fastgrad._src.structures.strings.splitting import reduce_join as reduce_join
from fastgrad._src.structures.strings.splitting import split as split
from fastgrad._src.structures.strings.splitting import unsorted_segment_join as unsorted_segment_join
from fastgrad._src.structures.strings.unicode import unicode_decode as unicode_decode
from fastgrad._src.structures.strings.unicode import unicode_decode_with_offsets as unicode_decode_with_offsets
from fastgrad._src.structures.strings.unicode import unicode_encode as unicode_encode
from fastgrad._src.structures.strings.unicode import unicode_script as unicode_script
from fastgrad._src.structures.strings.unicode import unicode_split as unicode_split
from fastgrad._src.structures.strings.unicode import unicode_transcode as unicode_transcode

__getattr__, __dir__ = _namespace_hooks("tf.strings", globals())
