"""How fast models run: libimgret's torch plugin against Python's torch, in one run.

Usage: extract.py BUILD [--threads N] [--rounds N] [--json FILE] [--models NAME,...]
                  [--ingest FOLDER [--copies N]]

Random weights of torchvision's own models go into a .safetensors file for ours and stay in memory for
theirs. Each side gets ready pixels; ours also normalises them, pools and scales the vectors. The sides
take turns, and the best round of each counts: other load only ever slows one down. Python's best is
the faster of eager and frozen TorchScript, both on the batch in memory. Reported, too: what a first
picture costs after the start of a process, and `import torch` alone.

With --ingest instead: from the files of FOLDER (each N times) to vectors in a database, beside the same
network on as many prepared pictures, by BUILD/bench/ingest; rounds there are its runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests",
                                "reference"))
import safetensors_io
import torch
import torchvision

BATCHES = (1, 8)
SECONDS = 1.0


def vit_tiny():
    return torchvision.models.VisionTransformer(image_size=224, patch_size=16, num_layers=12,
                                                num_heads=3, hidden_dim=192, mlp_dim=768)


MODELS = {"resnet18": lambda: torchvision.models.resnet18(weights=None),
          "resnet50": lambda: torchvision.models.resnet50(weights=None),
          "vit_tiny": vit_tiny,
          "vit_b_16": lambda: torchvision.models.vit_b_16(weights=None)}


def best_ms(run):
    """Of as many runs as SECONDS allow, at least three, after one that is not counted."""
    run()
    best, until, count = float("inf"), time.perf_counter() + SECONDS, 0
    while count < 3 or time.perf_counter() < until:
        started = time.perf_counter()
        run()
        best = min(best, 1e3 * (time.perf_counter() - started))
        count += 1
    return best


def theirs(model, frozen, batch):
    x = torch.randn(batch, 3, 224, 224)
    with torch.inference_mode():
        eager_ms = best_ms(lambda: model(x))
    with torch.no_grad():
        frozen_ms = best_ms(lambda: frozen[batch](x))
    return {"eager": eager_ms, "frozen": frozen_ms}


def freeze(model, batch):
    with torch.no_grad():
        traced = torch.jit.trace(model, torch.randn(batch, 3, 224, 224))
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced))


def ours(arguments, spec):
    """Milliseconds a batch by its size, and what loading and the first picture took."""
    done = subprocess.run([os.path.join(arguments.build, "imgret"), "model", "bench", "--json",
                           "--threads", str(arguments.threads), spec],
                          stdout=subprocess.PIPE, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["batch"]: row["best_ms"] for row in rows}, rows[0]


def keep_best(best, batch, name, took_ms):
    best[batch][name] = min(took_ms, best[batch].get(name, float("inf")))


def write_model(name, folder):
    torch.manual_seed(1)
    model = MODELS[name]().eval()
    path = os.path.join(folder, name + ".safetensors")
    safetensors_io.save(path, {key: value.detach().numpy()
                               for key, value in model.state_dict().items()})
    return model, path


def measure_ingest(arguments, name, folder):
    path = write_model(name, folder)[1]
    for precision in ("f32", "bf16"):
        done = subprocess.run([os.path.join(arguments.build, "bench", "ingest"), arguments.ingest,
                               "--model", "torch:%s;precision=%s" % (path, precision),
                               "--threads", str(arguments.threads), "--runs",
                               str(arguments.rounds), "--copies", str(arguments.copies), "--json"],
                              stdout=subprocess.PIPE, check=True)
        row = json.loads(done.stdout)
        row.update({"model": name, "precision": precision, "threads": arguments.threads})
        yield row
    os.remove(path)


def measure(arguments, name, folder):
    model, path = write_model(name, folder)
    frozen = {batch: freeze(model, batch) for batch in BATCHES}
    best, start = {batch: {} for batch in BATCHES}, {}
    for _ in range(arguments.rounds):
        for precision in ("f32", "bf16"):
            took, row = ours(arguments, "torch:%s;batch=%d;precision=%s" %
                             (path, max(BATCHES), precision))
            for batch in BATCHES:
                keep_best(best, batch, "ours_" + precision, took[batch])
            if precision == "f32":
                start = {key: min(row[key], start.get(key, float("inf")))
                         for key in ("load_ms", "first_ms")}
        for batch in BATCHES:
            for kind, took_ms in theirs(model, frozen, batch).items():
                keep_best(best, batch, kind, took_ms)
    os.remove(path)
    for batch in BATCHES:
        row = {"bench": "extract", "model": name, "batch": batch, "threads": arguments.threads}
        row.update({kind + "_ms": took / batch for kind, took in sorted(best[batch].items())})
        row["speedup"] = min(row["eager_ms"], row["frozen_ms"]) / row["ours_f32_ms"]
        row.update(start)
        yield row


def import_ms():
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return 1e3 * (time.perf_counter() - started)


def compare_speed(arguments, folder):
    print("torch %s, torchvision %s, %d threads; milliseconds a picture" %
          (torch.__version__, torchvision.__version__, arguments.threads))
    print("%-9s %5s %9s %9s %9s %9s %8s %8s %8s" % ("model", "batch", "eager", "frozen", "ours f32",
                                                     "ours bf16", "speedup", "load", "first"))
    for name in arguments.models.split(","):
        for row in measure(arguments, name, folder):
            yield row
            print("%-9s %5d %9.2f %9.2f %9.2f %9.2f %7.2fx %8.0f %8.0f" %
                  (row["model"], row["batch"], row["eager_ms"], row["frozen_ms"],
                   row["ours_f32_ms"], row["ours_bf16_ms"], row["speedup"], row["load_ms"],
                   row["first_ms"]), flush=True)
    row = {"bench": "extract", "python_import_torch_ms": import_ms()}
    yield row
    print("import torch alone, in Python: %.0f ms" % row["python_import_torch_ms"])


def compare_ingest(arguments, folder):
    print("%d threads; images a second, processor milliseconds a picture" % arguments.threads)
    print("%-9s %9s %8s %9s %9s %9s %8s %8s %8s" %
          ("model", "precision", "pictures", "ingest", "network", "ingest", "network", "ratio",
           "bound"))
    for name in arguments.models.split(","):
        for row in measure_ingest(arguments, name, folder):
            yield row
            print("%-9s %9s %8d %7.1f/s %7.1f/s %7.2fms %6.2fms %8.2f %8.2f" %
                  (row["model"], row["precision"], row["pictures"], row["ingest_images_per_s"],
                   row["network_images_per_s"], row["ingest_processor_ms"],
                   row["network_processor_ms"], row["ratio"], row["bound"]), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--ingest")
    parser.add_argument("--copies", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        compare = compare_ingest if arguments.ingest else compare_speed
        rows = list(compare(arguments, folder))
    if arguments.json:
        with open(arguments.json, "w") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


main()
