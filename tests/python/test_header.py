"""The ctypes declarations are those of include/imgret/imgret.h and of tests/abi/layout.c."""

import ctypes
import os
import re
import unittest

from common import ROOT

from imgret import _abi, _results, _types, _version

# Of the header, and on purpose not in the binding: Python's memory is not the host's to give.
UNBOUND_STRUCTS = {"imgret_allocator"}
UNBOUND_FUNCTIONS = {"imgret_set_allocator"}
# Pointers that the binding declares as a mere address.
ADDRESSES = {("imgret_input", "vector")}

SCALARS = {
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "uint8_t": ctypes.c_uint8,
    "double": ctypes.c_double,
    "float": ctypes.c_float,
    "char": ctypes.c_char,
    "void": None,
}
OPAQUE = {
    "imgret",
    "imgret_results",
    "imgret_records",
    "imgret_regions",
    "imgret_indexes",
    "imgret_extractor",
    "imgret_inspection",
}
NUMBERS = {"UINT32_MAX": 0xFFFFFFFF, "UINT64_MAX": 0xFFFFFFFFFFFFFFFF}


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return re.sub(r"/\*.*?\*/", " ", file.read(), flags=re.S)


def class_of(name):
    """imgret_open_options -> _abi.OpenOptions, callbacks under their own name; None: unknown."""
    short = name[len("imgret_") :]
    if short.endswith("_fn"):
        return getattr(_abi, short, None)
    return getattr(_abi, "".join(word.capitalize() for word in short.split("_")), None)


def split(declaration):
    """"const char *const *paths" -> ("char", 2 stars, "paths", None)."""
    declaration = re.sub(r"\b(const|struct)\b", " ", declaration)
    found = re.search(r"(\w+)\s*(?:\[(\w+)\])?\s*$", declaration)
    if not found:  # a pointer to a function that has no typedef
        return "", 0, " ".join(declaration.split()), None
    name, length = found.groups()
    rest = declaration[: found.start()]
    if length and not length.isdigit():
        length = getattr(_abi, length[len("IMGRET_") :])
    return rest.replace("*", " ").strip(), rest.count("*"), name, int(length) if length else None


def ctype(base, stars, length=None):
    """The ctypes type of a C one, by the rules of _abi.py."""
    if stars and base == "void":
        kind, stars = ctypes.c_void_p, stars - 1
    elif stars and base == "char":
        kind, stars = ctypes.c_char_p, stars - 1
    elif stars and base in OPAQUE:
        kind, stars = ctypes.c_void_p, stars - 1
    elif base in SCALARS:
        kind = SCALARS[base]
    else:
        kind = class_of(base)
        assert kind is not None, "the binding has no " + base
    for _ in range(stars):
        kind = ctypes.POINTER(kind)
    return kind * length if length else kind


class Header:
    def __init__(self, text):
        self.constants = {
            name: NUMBERS.get(value) or int(value.strip("()u"), 0)
            for name, value in re.findall(
                r"^#define IMGRET_(\w+) +(\(?-?(?:0x)?\d+u?\)?|UINT\d\d_MAX)\s*$", text, re.M
            )
        }
        self.structs = {
            name: [split(field) for field in body.split(";") if field.strip()]
            for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \w+;", text, re.S)
        }
        self.functions = {
            name: (result, arguments)
            for result, name, arguments in re.findall(
                r"IMGRET_API ([^;(]*?)(\w+)\(([^;]*?)\);", text, re.S
            )
        }
        self.callbacks = {
            name: (result, arguments)
            for result, name, arguments in re.findall(
                r"typedef (\w+) \(\*(\w+)\)\(([^;]*?)\);", text, re.S
            )
        }


def arguments_of(text):
    text = " ".join(text.split())
    return [] if text == "void" else [ctype(*split(part)[:2]) for part in text.split(",")]


def struct_faults(name, fields):
    """What the binding's struct has otherwise than the header's; more fields there are fine."""
    struct = class_of(name)
    if struct is None:
        return [f"{name} is not declared"]
    faults = []
    for index, (field, kind) in enumerate(struct._fields_):
        if index >= len(fields):
            faults.append(f"{name}.{field} is not in the header")
            continue
        base, stars, wanted, length = fields[index]
        if field != wanted and field != "reserved_zero":  # zero stays right when it gets a meaning
            faults.append(f"{name}: field {index} is {wanted}, declared as {field}")
        elif (name, field) in ADDRESSES:
            if not stars or kind is not ctypes.c_void_p:
                faults.append(f"{name}.{field} is no address")
        elif ctype(base, stars, length) is not kind:
            faults.append(f"{name}.{field}: {base} {'*' * stars}, declared as {kind}")
    return faults


class HeaderTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = read("include", "imgret", "imgret.h")
        cls.header = Header(cls.text)

    def test_parser_sees_the_whole_header(self):
        self.assertEqual(
            len(self.header.functions), len(re.findall(r"^IMGRET_API ", self.text, re.M))
        )
        self.assertEqual(
            len(self.header.structs), len(re.findall(r"typedef struct \w+ \{", self.text))
        )
        self.assertEqual(
            len(self.header.callbacks), len(re.findall(r"typedef \w+ \(\*", self.text))
        )
        self.assertGreater(len(self.header.constants), 50)

    def test_constants(self):
        declared = {
            name: value
            for name, value in vars(_abi).items()
            if name.isupper() and isinstance(value, int)
        }
        for name, value in declared.items():
            with self.subTest(name):
                self.assertEqual(self.header.constants.get(name), value)

    def test_status_codes_have_an_exception_each(self):
        from imgret import _errors

        codes = {
            name: value for name, value in self.header.constants.items() if value < 0
        }
        for name, value in codes.items():
            with self.subTest(name):
                wanted = "".join(word.capitalize() for word in name.split("_")) + "Error"
                self.assertEqual(_errors.BY_CODE[value].__name__, wanted)

    def test_structs(self):
        for name, fields in self.header.structs.items():
            if name not in UNBOUND_STRUCTS and class_of(name) is not None:
                with self.subTest(name):
                    self.assertEqual(struct_faults(name, fields), [])

    def test_functions(self):
        for name, (result, arguments) in _abi.FUNCTIONS.items():
            with self.subTest(name):
                c_result, c_arguments = self.header.functions["imgret_" + name]
                base, stars = split(c_result + " x")[:2]
                self.assertIs(ctype(base, stars), result)
                self.assertEqual(arguments_of(c_arguments), arguments)

    def test_callbacks(self):
        for name, (result, arguments) in self.header.callbacks.items():
            if class_of(name) is not None:
                with self.subTest(name):
                    self.assertIs(class_of(name)._restype_, SCALARS[result])
                    self.assertEqual(list(class_of(name)._argtypes_), arguments_of(arguments))

    def test_everything_declared_is_in_the_header(self):
        declared = {
            value
            for value in vars(_abi).values()
            if isinstance(value, type) and issubclass(value, ctypes.Structure)
        } - {ctypes.Structure}
        self.assertEqual(declared - {class_of(name) for name in self.header.structs}, set())

    def test_nothing_of_the_header_is_left_out(self):
        functions = {"imgret_" + name for name in _abi.FUNCTIONS} | UNBOUND_FUNCTIONS
        missing = sorted(set(self.header.functions) - functions)
        missing += sorted(
            name
            for name in self.header.constants
            if not hasattr(_abi, name) and not name.startswith("VERSION_")
        )
        missing += sorted(
            name
            for name in self.header.structs
            if class_of(name) is None and name not in UNBOUND_STRUCTS
        )
        for name, fields in self.header.structs.items():
            if class_of(name) is not None:
                known = len(class_of(name)._fields_)
                missing += [f"{name}.{field[2]}" for field in fields[known:]]
                missing += [
                    f"{name}.{field[2]}"
                    for field, (declared, _) in zip(fields, class_of(name)._fields_)
                    if declared == "reserved_zero" != field[2]
                ]
        self.assertEqual(missing, [], "the header has more than the binding")

    def test_layout(self):
        """Offsets as tests/abi/layout.c pins them for the C compiler."""
        if ctypes.sizeof(ctypes.c_void_p) != 8:
            self.skipTest("the layout is pinned for pointers of 64 bits")
        text = read("tests", "abi", "layout.c")
        sizes = dict(re.findall(r"^SIZE\((\w+), (\d+)\)", text, re.M))
        offsets = re.findall(r"^FIELD\((\w+), (\w+), (\d+)\)", text, re.M)
        seen = 0
        for name, field, offset in offsets:
            struct = class_of(name) if name in self.header.structs else None
            if struct is not None and hasattr(struct, field):
                self.assertEqual(getattr(struct, field).offset, int(offset), f"{name}.{field}")
                seen += 1
        for name, fields in self.header.structs.items():
            struct = class_of(name)
            if struct is not None and len(struct._fields_) == len(fields):
                self.assertEqual(ctypes.sizeof(struct), int(sizes[name]), name)
        self.assertGreater(seen, 100)

    def test_hits_are_unpacked_as_declared(self):
        self.assertEqual(_results._HIT.size, ctypes.sizeof(_abi.Hit))
        self.assertEqual(len(_results._HIT.unpack(bytes(_results._HIT.size))), len(_abi.Hit._fields_))
        values = (ctypes.sizeof(_abi.Hit), 640, 480, 0, 7, 0.5, b"u", b"{}", b"l", 0.25, 3, 1, 2, 30, 40, 0, 0.75, b"r")
        hit = _abi.Hit(*values)
        for wanted, got in zip(values, _results._HIT.unpack(bytes(hit))):
            self.assertEqual(ctypes.string_at(got) if isinstance(wanted, bytes) else got, wanted)
        rows = _results._Hits(1, ctypes.addressof(hit))
        (read,) = rows.each()
        self.assertEqual((read.label, read.label_score, read.region), ("l", 0.25, 3))
        self.assertEqual(read.box, _types.Box(1, 2, 30, 40))
        self.assertEqual((read.region_score, read.region_label), (0.75, "r"))

    def test_names_of_colours(self):
        from imgret._library import lib

        names = [lib.imgret_color_name(i).decode() for i in range(_abi.COLOR_COUNT)]
        self.assertEqual(list(_types.COLORS), names)
        self.assertIsNone(lib.imgret_color_name(_abi.COLOR_COUNT))

    def test_version(self):
        parts = [self.header.constants["VERSION_" + part] for part in ("MAJOR", "MINOR", "PATCH")]
        self.assertEqual(_version.__version__, ".".join(map(str, parts)))


class ComparisonTest(unittest.TestCase):
    """The comparison itself: it lets growth pass and finds every other change."""

    TEXT = "typedef struct imgret_limits { uint32_t size; %s uint64_t pixel_count_max; %s} imgret_limits;"
    MIDDLE = "uint32_t dimension_max; uint64_t file_bytes_max;"

    def faults(self, middle, end=""):
        header = Header(self.TEXT % (middle, end))
        return struct_faults("imgret_limits", header.structs["imgret_limits"])

    def test_appended_field_is_fine(self):
        self.assertEqual(self.faults(self.MIDDLE), [])
        self.assertEqual(self.faults(self.MIDDLE, "const char *more; "), [])

    def test_reserved_field_may_get_a_meaning(self):
        text = "typedef struct imgret_term { uint32_t size; %s %s; const imgret_input *input;"
        text += " double weight; } imgret_term;"
        for kind, faults in (("uint32_t", 0), ("uint64_t", 1)):
            header = Header(text % (kind, "page"))
            found = struct_faults("imgret_term", header.structs["imgret_term"])
            self.assertEqual(len(found), faults)

    def test_other_changes_are_found(self):
        self.assertTrue(self.faults("uint32_t dimension_max;"))
        self.assertTrue(self.faults("uint64_t file_bytes_max; uint32_t dimension_max;"))
        self.assertTrue(self.faults("int32_t dimension_max; uint64_t file_bytes_max;"))
        self.assertTrue(self.faults("uint32_t dimension_max; uint64_t *file_bytes_max;"))


if __name__ == "__main__":
    unittest.main()
