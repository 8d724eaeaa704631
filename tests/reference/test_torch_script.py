"""The torch plugin on TorchScript modules of every kind of output, as TAP.

Usage: test_torch_script.py PLUGIN. The modules are made and run by a process of its own, as its torch
may be another version than the plugin's.
"""

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import tempfile
import zipfile

import numpy

from plugin import Failure, Plugin

SIDE = 64
ANCHORS = (SIDE // 8) ** 2 + (SIDE // 16) ** 2 + (SIDE // 32) ** 2
PIXELS = numpy.random.default_rng(5).integers(0, 256, (3, SIDE, SIDE, 3), numpy.uint8)
IMAGENET = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]
OPTIONS = "input=%d" % SIDE


def there_export(*arguments):
    import script_modules
    script_modules.export(*arguments)


def there_run(*arguments):
    import script_modules
    return script_modules.run(*arguments)


def near(ours, theirs, bound=1e-5):
    assert ours.shape == theirs.shape, "shape %s, %s wanted" % (ours.shape, theirs.shape)
    error = abs(ours - theirs).max() / abs(theirs).max()
    assert error <= bound, "error %.1e" % error


class Tests:
    def __init__(self, plugin, there, folder):
        self.plugin, self.there, self.folder = plugin, there, folder

    def file(self, name, how="trace"):
        path = os.path.join(self.folder, "%s-%s.pt" % (name, how))
        self.there.submit(there_export, name, path, how).result()
        return path

    def reference(self, name, mean_std=None):
        return self.there.submit(there_run, name, PIXELS, *(mean_std or IMAGENET)).result()

    def refused(self, path, options, text):
        try:
            self.plugin.load(path, options).unload()
        except Failure as failure:
            assert text in str(failure), str(failure)
            assert "\n" not in str(failure)
            return
        raise AssertionError("it was loaded")

    def vectors_from_a_traced_module(self):
        model = self.plugin.load(self.file("Vector"), OPTIONS, threads=2)
        near(model.run(PIXELS)[0], self.reference("Vector")[0])
        assert model.info.architecture == b"torchscript_vector_64"

    def vectors_from_a_scripted_module(self):
        model = self.plugin.load(self.file("Vector", "script"), OPTIONS)
        near(model.run(PIXELS)[0], self.reference("Vector")[0])

    def what_a_module_prints_is_not_heard(self):
        """Text behind the stream's own buffer: looked for in what the process wrote."""
        path = self.file("Loud", "script")
        program = ("import sys; sys.path.insert(0, sys.argv[1]); import numpy; from plugin import Plugin\n"
                   "model = Plugin(sys.argv[2]).load(sys.argv[3], sys.argv[4])\n"
                   "model.run(numpy.zeros((1, %d, %d, 3), numpy.uint8))" % (SIDE, SIDE))
        done = subprocess.run([sys.executable, "-c", program, os.path.dirname(__file__),
                               sys.argv[1], path, OPTIONS], capture_output=True)
        assert done.returncode == 0 and not done.stdout and not done.stderr, done

    def bf16_is_near(self):
        model = self.plugin.load(self.file("Vector"), OPTIONS + ";precision=bf16")
        near(model.run(PIXELS)[0], self.reference("Vector")[0], 0.03)

    def automatic_precision_says_why(self):
        model = self.plugin.load(self.file("Vector"), OPTIONS + ";precision=auto")
        chosen = b"precision=bf16" in model.info.identity
        near(model.run(PIXELS)[0], self.reference("Vector")[0], 0.03 if chosen else 1e-5)
        notes = self.plugin.inspect(self.file("Vector"), OPTIONS + ";precision=auto")["notes"]
        assert any(note.startswith("precision: ") for note in notes), notes

    def a_map_is_pooled(self):
        path, wanted = self.file("Map"), self.reference("Map")[0]
        near(self.plugin.load(path, OPTIONS).run(PIXELS)[0], wanted.mean((2, 3)))
        near(self.plugin.load(path, OPTIONS + ";pool=max").run(PIXELS)[0], wanted.max((2, 3)))

    def regional_maxima_are_summed(self):
        ours = self.plugin.load(self.file("Map"), OPTIONS + ";pool=rmac").run(PIXELS)[0]
        near(ours, regional_maxima(self.reference("Map")[0]))

    def tokens_are_pooled(self):
        path, wanted = self.file("Tokens"), self.reference("Tokens")[0]
        near(self.plugin.load(path, OPTIONS).run(PIXELS)[0], wanted[:, 0])
        both = self.plugin.load(path, OPTIONS + ";pool=cls_avg").run(PIXELS)[0]
        near(both, numpy.concatenate([wanted[:, 0], wanted[:, 1:].mean(1)], 1))

    def logits_come_along(self):
        model = self.plugin.load(self.file("Both"), OPTIONS, threads=2)
        wanted = self.reference("Both")
        assert model.info.class_count == 5
        for ours, theirs in zip(model.run(PIXELS), wanted):
            near(ours, theirs)

    def a_module_for_single_pictures_gets_them_one_by_one(self):
        model = self.plugin.load(self.file("One"), OPTIONS)
        assert model.info.batch_max == 1
        near(model.run(PIXELS[:1])[0], self.reference("One")[0])

    def raw_detections_are_told_by_their_shape(self):
        model = self.plugin.load(self.file("Boxes"), OPTIONS + ";std=1,1,1", threads=2)
        info = model.info
        assert (info.dimension, info.anchor_count, info.box_class_count) == (0, ANCHORS, 3)
        assert (info.box_coding, info.stride_count, list(info.strides[:3])) == (1, 3, [8, 16, 32])
        assert (info.resize, info.pad_rgb) == (3, 0x727272)
        near(model.detect(PIXELS), self.reference("Boxes", [[0] * 3, [1] * 3])[0])

    def decoded_detections_are_told_by_their_values(self):
        model = self.plugin.load(self.file("Decoded"), OPTIONS)
        assert (model.info.box_coding, model.info.stride_count) == (2, 0)
        near(model.detect(PIXELS), self.reference("Decoded", [[0] * 3, [1] * 3])[0])

    def detections_with_the_values_first_are_turned(self):
        model = self.plugin.load(self.file("ValuesFirst"), OPTIONS)
        wanted = self.reference("ValuesFirst", [[0] * 3, [1] * 3])[0].transpose(0, 2, 1)
        assert (model.info.anchor_count, model.info.box_class_count) == (ANCHORS, 4)
        ours = model.detect(PIXELS)
        near(ours[:, :, :4], wanted[:, :, :4])
        near(ours[:, :, 5:], wanted[:, :, 4:])
        assert (ours[:, :, 4] == 1).all()

    def blue_may_come_first(self):
        model = self.plugin.load(self.file("Vector"), OPTIONS + ";channels=bgr;mean=0,0,0;std=1,1,1")
        theirs = self.there.submit(there_run, "Vector",
                                   numpy.ascontiguousarray(PIXELS[..., ::-1]),
                                   [0] * 3, [1] * 3).result()[0]
        near(model.run(PIXELS)[0], theirs)

    def wrong_modules_are_refused_in_one_line(self):
        self.refused(self.file("Cube"), OPTIONS, "returns a Float tensor of shape [1, 1, 12, 16, 16]")
        self.refused(self.file("Nothing", "script"), OPTIONS, "only pictures of 32 px")
        self.refused(self.file("Text", "script"), OPTIONS, "returns String, a tensor is wanted")
        self.refused(self.file("Vector", "pickle"), OPTIONS, "must be converted to safetensors")
        self.refused(self.file("Vector"), OPTIONS + ";family=detector", "returns no detections")
        self.refused(self.file("Vector"), OPTIONS + ";heads=3", "unknown option 'heads'")
        self.refused(self.file("Vector"), OPTIONS + ";pool=max", "the module gives vectors")

    def what_is_no_tensor_of_floats_is_refused(self):
        self.refused(self.file("NoValue", "script"), OPTIONS, "returns None, a tensor is wanted")
        self.refused(self.file("Empty", "script"), OPTIONS, "returns Tuple, a tensor is")
        self.refused(self.file("Whole", "script"), OPTIONS, "returns a Long tensor of shape [2, 12]")
        self.refused(self.file("Scalar", "script"), OPTIONS, "returns a Float tensor of shape []")

    def what_no_memory_holds_is_refused(self):
        self.refused(self.file("Endless", "script"), OPTIONS, "-2: ")

    def another_shape_later_fails_that_batch_only(self):
        model = self.plugin.load(self.file("Fickle", "script"), OPTIONS)
        wanted = self.reference("Fickle")[0]
        for colour in ((255, 255, 255), (255, 0, 0), (0, 0, 255)):
            odd = numpy.full((1, SIDE, SIDE, 3), colour, numpy.uint8)
            try:
                model.run(odd)
            except Failure as failure:
                assert "\n" not in str(failure), str(failure)
            else:
                raise AssertionError("%s: it was taken" % (colour,))
            near(model.run(PIXELS)[0], wanted)

    def hostile_archives_are_refused_in_one_line(self):
        """Zip files of every wrong kind: none may end the process or fill the memory."""
        folder, cases = self.folder, []

        def add(text, members, kind=zipfile.ZIP_STORED):
            cases.append(os.path.join(folder, "%s.pt" % text))
            with zipfile.ZipFile(cases[-1], "w", kind) as archive:
                for name, data in members:
                    archive.writestr(name, data)

        good = self.file("Vector")
        with zipfile.ZipFile(good) as archive:
            parts = [(info.filename, archive.read(info)) for info in archive.infolist()]
        add("nothing", [])
        add("a-text", [("a.txt", b"hello")])
        add("climbs", [("../../../../tmp/climbs/version", b"3")] + parts[1:])
        add("no-code", [part for part in parts if "/code/" not in part[0]])
        add("no-data", [part for part in parts if not part[0].endswith("data.pkl")])
        add("other-code", [(name, b"def forward(self, x):\n  return undefined\n"
                            if name.endswith(".py") else data) for name, data in parts])
        add("nested", [(name, b"(" * 100000 if name.endswith(".py") else data)
                       for name, data in parts])
        add("a-pickle-that-runs", [(name, b"\x80\x02cposix\nsystem\n(S'touch %s/was-run'\ntR." %
                                    folder.encode() if name.endswith("data.pkl") else data)
                                   for name, data in parts])
        add("deflated", [(name, bytes(200 << 20) if name.endswith("data.pkl") else data)
                         for name, data in parts], zipfile.ZIP_DEFLATED)
        for size in (0, 4, 22, 100, 4096):
            cases.append(os.path.join(folder, "cut-%d.pt" % size))
            with open(good, "rb") as file, open(cases[-1], "wb") as cut:
                cut.write(b"PK\3\4"[:size] + file.read()[4:size])
        program = ("import sys; sys.path.insert(0, sys.argv[1]); from plugin import Failure, Plugin\n"
                   "plugin = Plugin(sys.argv[2])\n"
                   "for path in sys.argv[4:]:\n"
                   "    try:\n        plugin.load(path, sys.argv[3])\n"
                   "        print(path, 'was loaded', flush=True)\n"
                   "    except Failure as failure:\n        print(failure, flush=True)")
        done = subprocess.run([sys.executable, "-c", program, os.path.dirname(__file__),
                               sys.argv[1], OPTIONS] + cases, capture_output=True, text=True)
        said = done.stdout.splitlines()
        assert done.returncode == 0 and not done.stderr, (cases[len(said):][:1], done)
        assert len(said) == len(cases) and not any("was loaded" in line for line in said), said
        assert not any(line.rstrip().endswith("TorchScript:") for line in said), said
        assert not os.path.exists(os.path.join(folder, "was-run"))

    def damaged_archives_are_refused_in_one_line(self):
        path = self.file("Vector")
        with open(path, "rb") as file:
            data = file.read()
        random = numpy.random.default_rng(1)
        for _ in range(40):
            damaged = bytearray(data[:random.integers(4, len(data))] if random.random() < 0.5
                                else data)
            for _ in range(8):
                damaged[random.integers(4, len(damaged))] = random.integers(256)
            with open(path + ".damaged.pt", "wb") as file:
                file.write(damaged)
            try:
                self.plugin.load(path + ".damaged.pt", OPTIONS).unload()
            except Failure as failure:
                assert "\n" not in str(failure)

    def inspection_counts_the_parameters(self):
        found = self.plugin.inspect(self.file("Vector"), OPTIONS)
        assert found["status"] == 0 and found["dimension"] == 12
        assert (found["family"], found["naming"]) == ("vector", "torchscript")
        assert found["parameter_count"] >= 3 * 8 * 9 + 8 + 8 * 12 * 9 + 12
        found = self.plugin.inspect(self.file("Vector", "pickle"), OPTIONS)
        assert found["status"] != 0 and "safetensors" in found["reason"]


def regional_maxima(x):
    """R-MAC of square maps as its paper has it: scales 1, 2, 3, the squares spread evenly."""
    side, total = x.shape[2], 0
    for scale in (1, 2, 3):
        width = 2 * side // (scale + 1)
        at = [0] if scale == 1 else [(side - width) * i // (scale - 1) for i in range(scale)]
        for top in at:
            for left in at:
                part = x[:, :, top:top + width, left:left + width].max((2, 3))
                total = total + part / numpy.linalg.norm(part, axis=1, keepdims=True)
    return total


def main():
    names = [name for name in vars(Tests) if not name.startswith("_") and
             name not in ("file", "reference", "refused")]
    print("1..%d" % len(names))
    apart = multiprocessing.get_context("spawn")
    failed = 0
    with concurrent.futures.ProcessPoolExecutor(1, apart) as there, \
            tempfile.TemporaryDirectory() as folder:
        tests = Tests(Plugin(sys.argv[1]), there, folder)
        for number, name in enumerate(names, 1):
            try:
                getattr(tests, name)()
                print("ok %d - %s" % (number, name.replace("_", " ")), flush=True)
            except Exception as failure:
                failed += 1
                print("not ok %d - %s\n# %s: %s" % (number, name.replace("_", " "),
                                                     type(failure).__name__, failure), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
