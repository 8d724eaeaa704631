# steps_reference.py: writes what PIL makes of pictures, for test_steps.c to compare with.
#
# usage: steps_reference.py FOLDER
# Each case is a file case_N.bin: 8 little-endian uint32 (step: 1 grey, 2 median, 3 re-encode, 4
# letterbox; source width and height; result width and height; a parameter: quality, or filter as in
# backend.h; two zeros), 4 bytes (colour of the bars, zero), source RGB, expected RGB.
# Exit status 77: PIL is not installed.
import io
import random
import struct
import sys

try:
    from PIL import Image, ImageFilter
except ImportError:
    sys.exit(77)

GREY, MEDIAN, REENCODE, LETTERBOX = 1, 2, 3, 4
FILTERS = {1: Image.BILINEAR, 2: Image.BICUBIC}


def picture(rng, width, height):
    """Smooth colours with noise in them, so that every step has something to do."""
    data = bytearray()
    for y in range(height):
        for x in range(width):
            base = (255 * x // width, 255 * y // height, 255 * (x + y) // (width + height))
            data += bytes(min(255, max(0, value + rng.randint(-40, 40))) for value in base)
    return Image.frombytes("RGB", (width, height), bytes(data))


def letterbox(source, side, code, colour):
    """ImageOps.pad as Pillow 10 has it; older versions cut where it rounds."""
    width, height = side
    if source.width / source.height > width / height:
        height = max(1, round(source.height / source.width * width))
    elif source.width / source.height < width / height:
        width = max(1, round(source.width / source.height * height))
    result = Image.new("RGB", side, colour)
    result.paste(source.resize((width, height), FILTERS[code]),
                 (round((side[0] - width) * 0.5), round((side[1] - height) * 0.5)))
    return result


def reencode(source, quality):
    file = io.BytesIO()
    source.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def cases(rng):
    for size in ((1, 1), (1, 5), (5, 1), (2, 2), (33, 17), (64, 48), (101, 77)):
        source = picture(rng, *size)
        yield GREY, source, source.convert("L").convert("RGB"), 0, (0, 0, 0)
        yield MEDIAN, source, source.filter(ImageFilter.MedianFilter(3)), 0, (0, 0, 0)
        for quality in (1, 30, 75, 100):
            yield REENCODE, source, reencode(source, quality), quality, (0, 0, 0)
        for side in ((32, 32), (48, 31)):
            for code in FILTERS:
                colour = tuple(rng.randrange(256) for _ in range(3))
                yield LETTERBOX, source, letterbox(source, side, code, colour), code, colour
    for _ in range(40):
        source = picture(rng, rng.randint(1, 60), rng.randint(1, 60))
        side = rng.randint(1, 60), rng.randint(1, 60)
        yield LETTERBOX, source, letterbox(source, side, 2, (9, 8, 7)), 2, (9, 8, 7)


def main():
    count = 0
    for step, source, result, parameter, colour in cases(random.Random(11)):
        with open(f"{sys.argv[1]}/case_{count}.bin", "wb") as out:
            out.write(struct.pack("<8I", step, *source.size, *result.size, parameter, 0, 0))
            out.write(bytes(colour) + b"\0" + source.tobytes() + result.tobytes())
        count += 1
    print(count)


main()
