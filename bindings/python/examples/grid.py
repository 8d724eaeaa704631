"""Shows what looks like a picture, as a page of pictures: grid.py DATABASE PICTURE --add FOLDER.

Writes an HTML page that any browser opens, the pictures stay where they are; or, for a name that ends
in .png or .jpg, one picture of them all, drawn by Pillow.
"""

from __future__ import annotations

import argparse
import html
import pathlib
import sys

import imgret

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; margin: 2em; background: #fafafa }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(12em, 1fr)); gap: 1em }}
figure {{ margin: 0; background: white; padding: .6em; border: 1px solid #ddd }}
figure.query {{ border: 3px solid #36c }}
img {{ width: 100%; height: 10em; object-fit: contain }}
figcaption {{ font-size: .8em; overflow-wrap: anywhere }}
</style>
<h1>{title}</h1>
<main>
{figures}
</main>
"""


def figure(path: str, caption: str, kind: str = "") -> str:
    """One picture of the grid."""
    link = html.escape(pathlib.Path(path).absolute().as_uri())
    return (
        f'<figure class="{kind}"><a href="{link}"><img src="{link}" loading="lazy" alt=""></a>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def grid(picture: str, hits: imgret.Results) -> str:
    """The page for a query and its results."""
    figures = [figure(picture, "the query", "query")]
    for hit in hits:
        if hit.uri is not None:
            name = pathlib.Path(hit.uri).name.encode("utf-8", "replace").decode()
            figures.append(figure(hit.uri, f"{hit.score:.4f} {name}"))
    title = "Like " + html.escape(pathlib.Path(picture).name.encode("utf-8", "replace").decode())
    return PAGE.format(title=title, figures="\n".join(figures))


def sheet(picture: str, hits: imgret.Results, out: str) -> None:
    """The same as one picture, six in a row; what cannot be read stays empty."""
    from PIL import Image, ImageOps

    side, gap, columns = 192, 8, 6
    paths = [picture] + [hit.uri for hit in hits if hit.uri is not None]
    rows = -(-len(paths) // columns)
    whole = Image.new("RGB", (columns * (side + gap) + gap, rows * (side + gap) + gap), "white")
    for number, path in enumerate(paths):
        x, y = number % columns * (side + gap) + gap, number // columns * (side + gap) + gap
        try:
            with Image.open(path) as opened:
                small = ImageOps.contain(ImageOps.exif_transpose(opened) or opened, (side, side))
                whole.paste(small.convert("RGB"), (x, y))
        except OSError:
            continue
    whole.save(out)


def main() -> int:
    parser = argparse.ArgumentParser(description="A page of the pictures that look like this one.")
    parser.add_argument("database")
    parser.add_argument("picture")
    parser.add_argument("--add", metavar="FOLDER", help="put a folder of pictures in first")
    parser.add_argument("--model", help="for a new database: weights, or classic")
    parser.add_argument("--out", default="grid.html")
    parser.add_argument("-k", type=int, default=20)
    options = parser.parse_args()
    try:
        with imgret.open(options.database, options.model) as db:
            if options.add:
                db.ingest(options.add, progress=True).finish()
            hits = db.query(options.picture, k=options.k)
    except imgret.ImgretError as error:
        print(f"{error.name}: {error}", file=sys.stderr)
        return 1
    if options.out.lower().endswith((".png", ".jpg")):
        sheet(options.picture, hits, options.out)
    else:
        pathlib.Path(options.out).write_text(grid(options.picture, hits), encoding="utf-8")
    print(f"{len(hits)} pictures in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
