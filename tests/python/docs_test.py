"""What docs/python.md shows is so: its blocks of Python run, in order, as doctests; those that need torch where it is there."""

import doctest
import importlib.util
import os
import tempfile
import unittest

SHOWN = ["```python"]
if importlib.util.find_spec("torch") is None:
    print("skipped: blocks that need torch")
else:
    SHOWN.append("```python torch")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def blocks(text):
    inside, lines = False, []
    for line in text.splitlines():
        if line.startswith("```"):
            inside = line.strip() in SHOWN
            lines.append("")
        else:
            lines.append(line if inside else "")
    return "\n".join(lines) + "\n"  # as many lines as the file has


class Document(unittest.TestCase):
    def test_runs(self):
        path = os.path.join(ROOT, "docs", "python.md")
        with open(path, encoding="utf-8") as file:
            test = doctest.DocTestParser().get_doctest(blocks(file.read()), {}, "python.md", path, 0)
        self.assertGreater(len(test.examples), 10)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        report = []
        here = os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                runner.run(test, out=report.append)
            finally:
                os.chdir(here)
        self.assertEqual(runner.failures, 0, "".join(report))


if __name__ == "__main__":
    unittest.main()
