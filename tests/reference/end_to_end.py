"""From picture files to vectors and labels: the imgret command against PIL and torch, as TAP.

Usage: end_to_end.py IMGRET DATA [--all] [--json]

Both sides have the weights of DATA/weights/vit_tiny_patch16_224.fp16.safetensors. The reference is
what a Python user writes: PIL opens and turns the picture, torchvision's rules resize (bicubic, 248)
and crop (224), torch runs the network in float32. A sample of DATA/images is compared, and mosaics
of its photographs that are large enough to be scaled while they are decoded; --all takes all of them, and
then counts the right labels on imagenet_sample and the mean average precision on
corel, too. --json prints the figures as one object instead.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image, ImageOps

import safetensors_io
import vit_torch

RESIZE, CROP = 248, 224
COSINE_MIN, COSINE_MEAN_MIN, POINTS_MAX = 0.999, 0.9998, 0.5
# The classes of imagenet_sample among ImageNet's thousand, in the order of their names.
IMAGENET_CLASSES = [0, 50, 75, 100, 125, 150, 175, 200, 225, 250, 300, 325, 350, 400, 425, 450, 475,
                    550, 600, 675, 725, 775, 850, 875, 900, 925, 950, 975]


def pictures(folder, everything):
    found = []
    for root, folders, names in os.walk(folder):
        folders.sort()
        jpegs = sorted(name for name in names if name.lower().endswith((".jpg", ".jpeg")))
        several = everything or os.path.basename(root) == "imagenet_sample"
        found += [os.path.join(root, name) for name in (jpegs if several else jpegs[:1])]
    return found


def prepare(picture):
    """torchvision's Resize(248, bicubic), CenterCrop(224), ToTensor, Normalize(0.5, 0.5)."""
    width, height = picture.size
    short, long = min(width, height), max(width, height)
    scaled = int(RESIZE * long / short)
    size = (RESIZE, scaled) if width <= height else (scaled, RESIZE)
    left, top = (int(round((side - CROP) / 2.0)) for side in size)
    picture = picture.resize(size, Image.BICUBIC).crop((left, top, left + CROP, top + CROP))
    return (numpy.asarray(picture, numpy.float32).transpose(2, 0, 1) / 255 - 0.5) / 0.5


def mosaics(data, folder):
    """Large pictures with a photograph's detail: squares of 2 x 2 to 6 x 6 of them, as JPEGs."""
    sample = pictures(os.path.join(data, "images", "imagenet_sample"), True)
    made = []
    for side in (2, 3, 4, 5, 6):
        for variant in range(4):
            whole = Image.new("RGB", (480 * side, 360 * side))
            for i in range(side * side):
                tile = open_picture(sample[(i * 5 + variant * 7 + side) % len(sample)])
                whole.paste(ImageOps.fit(tile, (480, 360), Image.BICUBIC),
                            (480 * (i % side), 360 * (i // side)))
            made.append(os.path.join(folder, "mosaic%d-%d.jpg" % (side, variant)))
            whole.save(made[-1], quality=90)
    return made


def open_picture(path):
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


def normalised(rows):
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def reference(paths, weights):
    model = vit_torch.load(safetensors_io.load(weights))
    embeddings, classes = [], []
    with torch.no_grad():
        for path in paths:
            x = torch.from_numpy(prepare(open_picture(path)))[None]
            embedding, logits = vit_torch.forward(model, x)
            embeddings.append(embedding[0].numpy())
            classes.append(int(logits.argmax()))
    return normalised(numpy.array(embeddings, numpy.float64)), classes


def ours(imgret, paths, spec):
    done = subprocess.run([imgret, "extract", "--json", "--model", spec, "--", *paths],
                          stdout=subprocess.PIPE, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["path"] for row in rows] == paths
    vectors = numpy.array([row["vector"] for row in rows], numpy.float64)
    return normalised(vectors), [int(row["label"][1:]) for row in rows]


def ours_undecoded(imgret, paths, spec, folder):
    """The same pictures in files that no decoder scales down."""
    plain = []
    for number, path in enumerate(paths):
        plain.append(os.path.join(folder, "%d.ppm" % number))
        open_picture(path).save(plain[-1])
    result = ours(imgret, plain, spec)[0]
    for path in plain:
        os.remove(path)
    return result


def mean_average_precision(vectors, classes):
    classes = numpy.array(classes)
    scores = vectors @ vectors.T
    total = 0.0
    for i in range(len(classes)):
        order = numpy.argsort(-scores[i], kind="stable")
        hits = (classes[order] == classes[i])[order != i]
        ranks = numpy.flatnonzero(hits)
        total += ((1 + numpy.arange(len(ranks))) / (1 + ranks)).mean()
    return 100 * total / len(classes)


def quality(paths, both):
    """Top 1 and mean average precision, in points, of each side."""
    sample = [i for i, path in enumerate(paths) if "/imagenet_sample/" in path]
    corel = [i for i, path in enumerate(paths) if "/corel/" in path]
    groups = [os.path.dirname(paths[i]) for i in corel]
    return [{"top1": 100.0 * sum(classes[i] == IMAGENET_CLASSES[n]
                                 for n, i in enumerate(sample)) / len(sample),
             "map": mean_average_precision(vectors[corel], groups)} for vectors, classes in both]


def measure(imgret, data, everything):
    weights = os.path.join(data, "weights", "vit_tiny_patch16_224.fp16.safetensors")
    paths = pictures(os.path.join(data, "images"), everything)
    paths += pictures(os.path.join(data, "coral_photos"), True)  # large ones are decoded scaled
    with tempfile.TemporaryDirectory() as folder:
        paths += mosaics(data, folder) if everything else mosaics(data, folder)[::4]
        labels = os.path.join(folder, "labels")
        with open(labels, "w") as file:
            file.writelines("c%d\n" % number for number in range(1000))
        spec = "torch:%s;labels=%s" % (weights, labels)
        own, own_classes = ours(imgret, paths, spec)
        plain = ours_undecoded(imgret, paths, spec, folder)
        theirs, their_classes = reference(paths, weights)
    cosine = (own * theirs).sum(1)
    scaling = (own * plain).sum(1)
    result = {"pictures": len(paths),
              "cosine_min": cosine.min(), "cosine_mean": cosine.mean(),
              "cosine_min_at": os.path.relpath(paths[int(cosine.argmin())], data),
              "undecoded_cosine_min": (plain * theirs).sum(1).min(),
              "scaling_moved": int((scaling < 1 - 1e-9).sum()), "scaling_cosine_min": scaling.min(),
              "scaling_cosine_mean": scaling[scaling < 1 - 1e-9].mean(),
              "same_class": sum(a == b for a, b in zip(own_classes, their_classes))}
    if everything:
        result["ours"], result["theirs"] = quality(paths, ((own, own_classes),
                                                           (theirs, their_classes)))
    return result


def checks(result):
    yield "every cosine at least %g" % COSINE_MIN, result["cosine_min"] >= COSINE_MIN
    yield "mean cosine at least %g" % COSINE_MEAN_MIN, result["cosine_mean"] >= COSINE_MEAN_MIN
    yield "labels", result["same_class"] >= 0.98 * result["pictures"]
    if "ours" in result:
        for name in ("top1", "map"):
            apart = abs(result["ours"][name] - result["theirs"][name])
            yield "%s within %g points" % (name, POINTS_MAX), apart <= POINTS_MAX


def main():
    result = measure(sys.argv[1], sys.argv[2], "--all" in sys.argv)
    if "--json" in sys.argv:
        print(json.dumps(result))
        return
    outcomes = list(checks(result))
    print("1..%d" % len(outcomes))
    for number, (name, good) in enumerate(outcomes, 1):
        print("%sok %d - %s" % ("" if good else "not ", number, name))
    for name, value in result.items():
        print("# %s: %s" % (name, value))
    sys.exit(0 if all(good for _, good in outcomes) else 1)


main()
