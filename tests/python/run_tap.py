"""Runs the tests of this folder and prints TAP; arguments pick tests by a part of their name."""

import os
import sys
import traceback
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class Tap(unittest.TestResult):
    """One line a test; failures with their traceback as comments."""

    def __init__(self, out):
        super().__init__()
        self.out = out
        self.number = 0
        self.bad = False

    def line(self, good, test, note=""):
        self.number += 1
        name = test.id().replace("#", "")
        print("ok" if good else "not ok", self.number, "-", name + note, file=self.out, flush=True)

    def startTest(self, test):
        super().startTest(test)
        self.bad = False

    def addSuccess(self, test):
        if not self.bad:
            self.line(True, test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line(True, test, f" # SKIP {reason}")

    def _fault(self, test, error):
        if not self.bad:
            self.line(False, test)
        self.bad = True
        for line in "".join(traceback.format_exception(*error)).splitlines():
            print("#", line, file=self.out, flush=True)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._fault(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self._fault(test, error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self._fault(test, error)


def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def main():
    # What the tests and their children print must not come between the lines.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.insert(0, HERE)
    found = unittest.defaultTestLoader.discover(HERE, "test_*.py")
    wanted = [
        test
        for test in tests_of(found)
        if not sys.argv[1:] or any(word in test.id() for word in sys.argv[1:])
    ]
    print(f"1..{len(wanted)}", file=out, flush=True)
    result = Tap(out)
    unittest.TestSuite(wanted).run(result)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
