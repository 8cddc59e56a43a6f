"""CRC-32C (Castagnoli), the checksum of TFRecord files and of TensorFlow's checkpoints, eight bytes at a time."""

from numpy import uint32

from fastgrad._src.jit.build import kernel


@kernel("data: in[uint8], tables: in[uint32], out: out[uint32], count: int")
def crc32c(data, tables, out, count):
    """out[0] = the checksum of `count` bytes; tables[k, v] is that of the byte v before k zero bytes, from the state 0."""
    state = uint32(0xFFFFFFFF)
    whole = count // 8 * 8
    for at in range(0, whole, 8):
        low = state ^ (
            uint32(data[at]) | uint32(data[at + 1]) << 8 | uint32(data[at + 2]) << 16 | uint32(data[at + 3]) << 24
        )
        state = (
            tables[1792 + (low & 255)]
            ^ tables[1536 + (low >> 8 & 255)]
            ^ tables[1280 + (low >> 16 & 255)]
            ^ tables[1024 + (low >> 24)]
            ^ tables[768 + data[at + 4]]
            ^ tables[512 + data[at + 5]]
            ^ tables[256 + data[at + 6]]
            ^ tables[data[at + 7]]
        )
    for at in range(whole, count):
        state = tables[(state ^ data[at]) & 255] ^ state >> 8
    out[0] = state ^ uint32(0xFFFFFFFF)
