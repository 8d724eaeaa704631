#!/usr/bin/env python3
"""api-docs.py: the API reference, written from the comments of the public header.

    api-docs.py markdown HEADER            prints docs/api.md
    api-docs.py man HEADER FOLDER DATE     writes imgret.3 and a page for every function

The header is read as it is laid out: a section is a comment of dashes, and lines without an empty one
between them belong together: a comment, then what it is about. A function without a comment, or a
line that is none of what a header has, is an error.
"""
import re
import sys
from pathlib import Path

SECTION = re.compile(r"/\* -{4} (.*?) -+ \*/$")
FUNCTION = re.compile(r"\b(imgret_\w+)\(")


def without_export(code):
    """Declarations without IMGRET_API, their further lines moved as far to the left."""
    mark = "IMGRET_API "
    return re.sub(rf"^{mark}(.*?;)",
                  lambda match: match.group(1).replace("\n" + " " * len(mark), "\n"),
                  code, flags=re.S | re.M)


class Block:
    """A comment and the declarations that it is about."""

    def __init__(self, section, comment, code):
        self.section = section
        self.comment = comment  # lines without the stars
        self.code = code
        self.functions = []
        self.types = []
        for declaration in re.findall(r"^IMGRET_API.*?;", code, re.S | re.M):
            self.functions.append(FUNCTION.search(declaration).group(1))
        self.types += re.findall(r"^\} (imgret\w*);", code, re.M)
        self.types += re.findall(r"^typedef struct \w+ (imgret\w*);", code, re.M)
        self.types += re.findall(r"^typedef [^;{]*\(\*(imgret\w+)\)", code, re.M)

    def declaration_of(self, function):
        """The prototype of one function, without IMGRET_API."""
        for text in re.findall(r"^IMGRET_API.*?;", self.code, re.S | re.M):
            if FUNCTION.search(text).group(1) == function:
                return without_export(text)
        raise KeyError(function)


def strip_comment(text):
    """Lines of a comment without its marks and the stars at their beginning."""
    lines = text.strip()[2:-2].rstrip().split("\n")
    return [lines[0].strip()] + [re.sub(r"^\s*\* ?", "", line).rstrip() for line in lines[1:]]


def split_block(text):
    """(comment, code) of lines that belong together."""
    match = re.match(r"/\*.*?\*/[ \t]*\n?", text, re.S)
    if not match:
        return [], text
    return strip_comment(match.group(0)), text[match.end():]


def chunks(text):
    """The header cut at empty lines outside of comments and braces."""
    chunk, depth, in_comment = [], 0, False
    for line in text.split("\n"):
        if not line.strip() and depth == 0 and not in_comment:
            if chunk:
                yield "\n".join(chunk)
            chunk = []
            continue
        chunk.append(line)
        in_comment = line.rfind("/*") > line.rfind("*/") or (in_comment and "*/" not in line)
        bare = re.sub(r"/\*.*?\*/|\"[^\"]*\"|/\*.*|^.*\*/", "", line)
        if not in_comment or "{" in bare:
            depth += bare.count("{") - bare.count("}")
    if chunk:
        yield "\n".join(chunk)


def read_header(path):
    """(lines of the first comment, [Block])."""
    text = Path(path).read_text(encoding="utf-8")
    first = re.match(r"/\*.*?\*/", text, re.S)
    rules = strip_comment(first.group(0))
    body = re.sub(r"#if(?:def __cplusplus| defined\(__GNUC__).*?#endif\n", "", text[first.end():],
                  flags=re.S)
    blocks, section = [], "Version"
    for chunk in chunks(body):
        heading = SECTION.match(chunk)
        if heading:
            section = heading.group(1).split(". ")[0]
            continue
        comment, code = split_block(chunk)
        code = "\n".join(line for line in code.split("\n")
                         if not re.match(r"#(ifndef|include|endif|define IMGRET_IMGRET_H)", line))
        if not comment and not code.strip():
            continue
        block = Block(section, comment, code.rstrip())
        if block.functions and not comment:
            sys.exit(f"api-docs: {path}: {block.functions[0]} has no comment")
        blocks.append(block)
    check_complete(path, text, blocks)
    return rules, blocks


def check_complete(path, text, blocks):
    """Nothing that the header exports was passed over."""
    known = {name for block in blocks for name in block.functions}
    exported = {FUNCTION.search(text[at.start():]).group(1)
                for at in re.finditer(r"^IMGRET_API ", text, re.M)}
    if known != exported or not known:
        sys.exit(f"api-docs: {path}: not understood: {sorted(known ^ exported)}")


def paragraphs(lines):
    """Joins the lines of a comment: [(kind, text)], kind "text", "item" or "code"."""
    result = []
    for line in lines:
        if not line.strip():
            result.append(("end", ""))
        elif re.match(r"\s*- ", line):
            result.append(("item", line.strip()[2:]))
        elif line.startswith("  ") and result and result[-1][0] == "item":
            result[-1] = ("item", result[-1][1] + " " + line.strip())
        elif line.startswith("  "):
            result.append(("code", line))
        elif line.startswith("Errors:") or not result or result[-1][0] not in ("text", "item"):
            result.append(("text", line.strip()))
        else:
            result[-1] = (result[-1][0], result[-1][1] + " " + line.strip())
    return [(kind, text) for kind, text in result if kind != "end"]


def summary(block, function):
    """The first sentence, as the NAME section of a manual page has it."""
    text = " ".join(text for kind, text in paragraphs(block.comment) if kind == "text")
    text = re.split(r"(?<=\w)[.;:](?:\s|$)", text)[0].rstrip(".")
    if text[1:2].islower():
        text = text[0].lower() + text[1:]
    return text or function


# ---- Markdown -----------------------------------------------------------------------------------

def md_text(text):
    """Text outside `code`, with the marks of Markdown escaped."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([\\*_<>\[\]|])", r"\\\1", part)
                   for part in parts)


def md_comment(lines):
    out = []
    for kind, text in paragraphs(lines):
        if kind == "item":
            out.append("- " + md_text(text))
        elif kind == "code":
            out.append("    " + text)
        else:
            out += ["", md_text(text), ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip("\n")


def anchor(title):
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def write_markdown(path):
    rules, blocks = read_header(path)
    sections = list(dict.fromkeys(block.section for block in blocks))
    print("# API reference\n\n<!-- Written by tools/api-docs.py from include/imgret/imgret.h: change that,"
          " then `make api-docs`. -->\n")
    print(md_comment(rules) + "\n")
    print("| section | functions |\n|---|---|")
    for section in sections:
        names = [name for block in blocks if block.section == section for name in block.functions]
        print(f"| [{section}](#{anchor(section)}) | " + " ".join(f"`{name}`" for name in names) + " |")
    for section in sections:
        print(f"\n## {section}")
        for block in (block for block in blocks if block.section == section):
            titles = block.functions or block.types
            print()
            if titles:
                print("### " + ", ".join(titles).replace("_", "\\_") + "\n")
            if block.comment:
                print(md_comment(block.comment) + "\n")
            if block.code.strip():
                print("```c\n" + without_export(block.code) + "\n```")


# ---- Manual pages -------------------------------------------------------------------------------

def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = text.replace("~", "\\(ti").replace("^", "\\(ha")
    return re.sub(r"^\.", r"\\&.", text, flags=re.M)


def roff_prose(text):
    """Filled text: one sentence part a line, none too long; a `name` in bold."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) > 72:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    text = roff("\n".join(lines + [line]))
    return re.sub(r"`([^`\n]*)`", r"\\fB\1\\fR", text)


def roff_comment(lines):
    out = []
    for kind, text in paragraphs(lines):
        if kind == "item":
            out.append(".IP \\(bu 2\n" + roff_prose(text))
        elif kind == "code":
            out.append(".PP\n.EX\n" + roff(text) + "\n.EE")
        else:
            out.append((".PP\n" if out else "") + roff_prose(text))
    return "\n".join(out)


def roff_code(code):
    code = re.sub(r"\n\s*\n", "\n", code)
    return ".EX\n" + roff(code) + "\n.EE"


def head(title, date, version):
    return (f".\\\" Written by tools/api-docs.py from imgret.h.\n"
            f".TH {title} 3 {date} \"libimgret {version}\" \"Library Functions Manual\"\n")


def used_types(block, blocks):
    """The definitions of the structs and callbacks that a prototype names."""
    found = []
    for name in re.findall(r"\bimgret\w+\b", "".join(block.code)):
        for other in blocks:
            if name in other.types and other is not block and other not in found and \
                    re.search(r"[{(]", other.code):
                found.append(other)
    return [other for other in found if "imgret_error" not in other.types]


def write_page(folder, block, blocks, date, version):
    first = block.functions[0]
    siblings = [name for other in blocks if other.section == block.section
                for name in other.functions if name not in block.functions]
    page = head(first.upper(), date, version)
    page += ".SH NAME\n" + roff(", ".join(block.functions)) + " \\- "
    page += roff(summary(block, first)) + "\n.SH SYNOPSIS\n"
    prototypes = "\n\n".join(block.declaration_of(name) for name in block.functions)
    page += ".nf\n#include <imgret/imgret.h>\n.PP\n" + roff(prototypes).replace("\n\n", "\n.PP\n")
    page += "\n.fi\n.PP\nLink with \\fI\\-limgret\\fP.\n.SH DESCRIPTION\n"
    page += roff_comment(block.comment) + "\n"
    types = used_types(block, blocks)
    if types:
        page += ".SH TYPES\n"
        page += "\n.PP\n".join(roff_code(other.code) for other in types) + "\n"
    if any(re.search(r"\bint32_t \*?" + name, block.code) for name in block.functions):
        page += (".SH RETURN VALUE\nIMGRET_OK (0), or a negative status code, which\n"
                 ".BR imgret_status_name (3)\nnames; the message is in \\fIerror\\fP.\n")
    page += ".SH SEE ALSO\n.BR imgret (3)"
    page += "".join(f",\n.BR {roff(name)} (3)" for name in siblings[:12]) + "\n"
    (folder / f"{first}.3").write_text(page, encoding="utf-8")
    for name in block.functions[1:]:
        (folder / f"{name}.3").write_text(f".so man3/{first}.3\n", encoding="utf-8")


def write_overview(folder, rules, blocks, date, version):
    page = head("IMGRET", date, version)
    page += (".SH NAME\nimgret \\- image search as a library\n.SH SYNOPSIS\n.nf\n"
             "#include <imgret/imgret.h>\n.fi\n.PP\nLink with \\fI\\-limgret\\fP.\n.SH DESCRIPTION\n")
    page += roff_comment(rules) + "\n"
    for section in dict.fromkeys(block.section for block in blocks):
        own = [block for block in blocks if block.section == section]
        if not any(block.functions for block in own):
            continue
        page += ".SS " + roff(section) + "\n"
        for block in own:
            for name in block.functions:
                page += f".TP\n.BR {roff(name)} (3)\n{roff_prose(summary(block, name))}\n"
        if section.startswith("Status codes"):
            page += "\n.PP\n".join(roff_code(block.code) for block in own
                                   if block.code and not block.functions) + "\n"
    page += ".SH SEE ALSO\n.BR imgret (1)\n"
    (folder / "imgret.3").write_text(page, encoding="utf-8")


def write_man(path, folder, date):
    rules, blocks = read_header(path)
    text = Path(path).read_text(encoding="utf-8")
    version = ".".join(re.search(rf"VERSION_{part} (\d+)", text).group(1)
                       for part in ("MAJOR", "MINOR", "PATCH"))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.3"):
        old.unlink()
    write_overview(folder, rules, blocks, date, version)
    for block in blocks:
        if block.functions:
            write_page(folder, block, blocks, date, version)


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "markdown":
        write_markdown(arguments[1])
    elif len(arguments) == 4 and arguments[0] == "man":
        write_man(*arguments[1:])
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
