# resize_reference.py: writes what PIL makes of seeded noise, for test_resize.c to compare with.
#
# usage: resize_reference.py FOLDER
# Each case is a file case_N.bin: 8 little-endian uint32 (source width and height, scaled width and
# height, left, top, width, height), filter (1 bilinear, 2 bicubic), source RGB, expected RGB.
# Exit status 77: PIL is not installed.
import random
import struct
import sys

try:
    from PIL import Image
except ImportError:
    sys.exit(77)

FILTERS = {1: Image.BILINEAR, 2: Image.BICUBIC}


def noise(rng, width, height):
    """Half noise, half flat black and white, so that overshoot is clipped on both sides."""
    data = bytearray(rng.randbytes(3 * width * height))
    for at in range(0, len(data), 7):
        data[at] = 255 * (at // 49 % 2)
    return Image.frombytes("RGB", (width, height), bytes(data))


def write_case(path, source, scaled, box, code):
    result = source.resize(scaled, FILTERS[code]).crop(box)
    left, top, right, bottom = box
    with open(path, "wb") as out:
        out.write(struct.pack("<9I", *source.size, *scaled, left, top, right - left,
                              bottom - top, code))
        out.write(source.tobytes())
        out.write(result.tobytes())


def cases(rng):
    """(source size, scaled size, box or None)"""
    fixed = [(1, 1, 128, 128), (1, 1, 1, 1), (2, 3, 7, 5), (1, 300, 40, 9), (300, 1, 9, 40),
             (640, 480, 128, 128), (481, 321, 224, 224), (100, 100, 100, 37), (100, 100, 37, 100),
             (64, 64, 64, 64), (1000, 3, 17, 200), (3, 1000, 200, 17), (33, 65, 32, 64),
             (5, 5, 500, 2), (255, 257, 254, 256), (1, 4000, 248, 3)]
    for w, h, sw, sh in fixed:
        yield (w, h), (sw, sh), None
    for _ in range(60):
        scaled = rng.randint(1, 300), rng.randint(1, 300)
        left, top = rng.randrange(scaled[0]), rng.randrange(scaled[1])
        box = left, top, rng.randint(left + 1, scaled[0]), rng.randint(top + 1, scaled[1])
        yield (rng.randint(1, 400), rng.randint(1, 400)), scaled, box


def main():
    folder = sys.argv[1]
    rng = random.Random(7)
    number = 0
    for size, scaled, box in cases(rng):
        for code in FILTERS:
            source = noise(rng, *size)
            write_case(f"{folder}/case_{number}.bin", source, scaled, box or (0, 0, *scaled), code)
            number += 1
    print(number)


main()
