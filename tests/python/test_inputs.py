"""Pictures of every kind that Python has: the same picture has the same vector, however it comes."""

import io
import mmap
import os
import pathlib
import unittest
from array import array

from common import Case, data, imgret, needs_numpy, needs_pil, numpy, picture, pixels, PIL

WIDTH, HEIGHT = 48, 32


class KindsTest(Case):
    def setUp(self):
        super().setUp()
        self.db = self.database(vector_type="f32")
        self.path = self.write("a.png", picture(5))
        self.known = self.db.add(self.path).id

    def score(self, what):
        return self.db.query(what, k=1)[0].score

    def assertSame(self, what):
        """As a query and as an addition it is the picture of setUp, to the last bit."""
        self.assertAlmostEqual(self.score(what), 1, places=6)
        if hasattr(what, "seek"):
            what.seek(0)
        id = self.db.add(what, uri="copy").id
        self.assertEqual(list(self.db.get_vector(id)), list(self.db.get_vector(self.known)))
        self.db.remove(id)

    def test_paths(self):
        self.assertSame(self.path)
        self.assertSame(pathlib.Path(self.path))
        self.assertEqual(self.db.get(self.known).uri, os.path.realpath(self.path))
        odd = self.write(os.fsdecode(b"\xff b.png"), picture(5))
        self.assertSame(odd)

    def test_bytes(self):
        self.assertSame(picture(5))
        self.assertSame(bytearray(picture(5)))
        self.assertSame(memoryview(picture(5)))
        self.assertSame(memoryview(bytearray(picture(5))))
        self.assertSame(memoryview(b"".join(bytes([b, 0]) for b in picture(5)))[::2])

    def test_files(self):
        with open(self.path, "rb") as file:
            self.assertSame(file)
        self.assertSame(io.BytesIO(picture(5)))
        with open(self.path, "rb") as file:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                self.assertSame(mapped)
        with self.assertRaises(TypeError):
            self.score(io.StringIO("text"))

    def test_what_is_no_picture(self):
        for wrong in (5, object(), {1: 2}, {1, 2}, print):
            with self.subTest(repr(wrong)):
                with self.assertRaises(TypeError):
                    self.score(wrong)
        with self.assertRaises(ValueError):
            self.score("a\0b")
        with self.assertRaises(imgret.NotFoundError) as caught:
            self.score(self.place("missing.jpg"))
        self.assertIn("missing.jpg", str(caught.exception))
        for wrong in (b"", b"no picture", bytearray()):
            with self.subTest(repr(wrong)):
                with self.assertRaises(imgret.ImgretError):
                    self.score(wrong)
        with self.assertRaises(imgret.InvalidArgumentError):
            self.score(array("f", [1, 2, 3]))

    @needs_numpy
    def test_pixels(self):
        rgb = numpy.frombuffer(pixels(5), numpy.uint8).reshape(HEIGHT, WIDTH, 3)
        self.assertSame(rgb)
        self.assertSame(numpy.asfortranarray(rgb))
        self.assertSame(rgb[::-1][::-1])
        rgba = numpy.full((HEIGHT, WIDTH, 4), 255, numpy.uint8)
        rgba[:, :, :3] = rgb
        self.assertSame(rgba)
        self.assertSame(rgba[:, :, :3])
        wide = numpy.zeros((HEIGHT + 9, WIDTH + 5, 3), numpy.uint8)
        wide[4 : 4 + HEIGHT, 3 : 3 + WIDTH] = rgb
        self.assertSame(wide[4 : 4 + HEIGHT, 3 : 3 + WIDTH])
        self.assertLess(self.score(rgb[:, ::-1]), 0.9999)
        readonly = rgb.copy()
        readonly.flags.writeable = False
        self.assertSame(readonly)

    @needs_numpy
    def test_grey_pixels(self):
        grey = numpy.frombuffer(pixels(5), numpy.uint8).reshape(HEIGHT, WIDTH, 3)[:, :, 1]
        wanted = numpy.repeat(grey[:, :, None], 3, axis=2)
        with imgret.Extractor("classic") as extractor:
            rows = extractor.extract([wanted, grey, grey[:, :, None], numpy.ascontiguousarray(grey)])
        for row in rows[1:]:
            self.assertEqual(row.tolist(), rows[0].tolist())

    @needs_numpy
    def test_arrays_that_are_no_pictures(self):
        for wrong in (
            numpy.zeros((4, 4, 2), numpy.uint8),
            numpy.zeros((4, 4, 3), numpy.uint16),
            numpy.zeros((4, 4, 3), numpy.float32),
            numpy.zeros((2, 4, 4, 3), numpy.uint8),
            numpy.zeros(10, numpy.uint8),
            numpy.array(["a", "b"]),
        ):
            with self.subTest(f"{wrong.dtype} {wrong.shape}"):
                with self.assertRaises((TypeError, ValueError)):
                    self.score(wrong)
        for empty in ((0, 4, 3), (4, 0, 3)):
            with self.assertRaises(imgret.ImgretError):
                self.score(numpy.zeros(empty, numpy.uint8))

    @needs_pil
    def test_pil(self):
        image = PIL.Image.open(self.path)
        self.assertSame(image)
        self.assertSame(image.convert("RGBA"))
        grey = image.convert("L")
        with imgret.Extractor("classic") as extractor:
            rows = extractor.extract([grey, grey.convert("RGB"), image.convert("1"), image.convert("P")])
            self.assertEqual(list(rows[0]), list(rows[1]))
            clear = PIL.Image.new("RGBA", (40, 40), (255, 0, 0, 0))
            white = PIL.Image.new("RGB", (40, 40), (255, 255, 255))
            palette = PIL.Image.new("P", (40, 40), 3)
            palette.info["transparency"] = 3
            for transparent in (clear, clear.convert("LA"), palette):
                with self.subTest(transparent.mode):
                    rows = extractor.extract([transparent, white])
                    self.assertEqual(list(rows[0]), list(rows[1]))

    @needs_pil
    def test_pil_is_turned_upright_as_a_file_is(self):
        image = PIL.Image.open(self.path)
        exif = PIL.Image.Exif()
        exif[274] = 6  # turn by 90 degrees to see it
        turned = io.BytesIO()
        image.save(turned, "PNG", exif=exif)
        with imgret.Extractor("classic") as extractor:
            rows = extractor.extract(
                [PIL.Image.open(turned), image.transpose(PIL.Image.Transpose.ROTATE_270), image]
            )
        self.assertEqual(list(rows[0]), list(rows[1]))
        self.assertNotEqual(list(rows[0]), list(rows[2]))

    @needs_pil
    def test_pil_and_the_library_see_photos_alike(self):
        folder = data("images", "imagenet_sample")
        names = sorted(os.listdir(folder))[:6]
        paths = [os.path.join(folder, name) for name in names]
        with imgret.Extractor("classic") as extractor:
            rows = extractor.extract(paths)
            pil = extractor.extract([PIL.Image.open(path) for path in paths])
        for name, a, b in zip(names, rows, pil):
            # The library may let the codec shrink a large picture while it decodes.
            self.assertGreater(sum(float(x) * float(y) for x, y in zip(a, b)), 0.98, name)


if __name__ == "__main__":
    unittest.main()
