"""The notebooks in examples/ run. Where Jupyter is installed in a kernel, as they are; else their cells one after another."""

import glob
import json
import os
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def sources(path):
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    return ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == "code"]


def run_in_kernel(path, folder):
    import nbclient
    import nbformat

    nbclient.NotebookClient(nbformat.read(path, as_version=4), timeout=120, resources={"metadata": {"path": folder}}).execute()


def run_here(path, folder):
    names = {"__name__": "__main__"}
    here = os.getcwd()
    os.chdir(folder)
    try:
        for source in sources(path):
            exec(compile(source, path, "exec"), names)
    finally:
        os.chdir(here)


def needs_torch(path):
    return any("mm.record" in source or "import torch" in source for source in sources(path))


class Notebooks(unittest.TestCase):
    def test_run(self):
        try:
            import ipykernel  # noqa: F401
            import nbclient  # noqa: F401
            run = run_in_kernel
        except ImportError:
            run = run_here
        found = sorted(glob.glob(os.path.join(ROOT, "examples", "notebooks", "*.ipynb")))
        self.assertGreaterEqual(len(found), 3)
        for path in found:
            with self.subTest(os.path.basename(path)), tempfile.TemporaryDirectory() as folder:
                try:
                    if needs_torch(path):
                        import torch  # noqa: F401
                except ImportError:
                    print(f"skipped: {os.path.basename(path)} needs torch")
                    continue
                run(path, folder)

    def test_have_no_output(self):
        for path in glob.glob(os.path.join(ROOT, "examples", "notebooks", "*.ipynb")):
            with open(path, encoding="utf-8") as file:
                cells = json.load(file)["cells"]
            self.assertFalse([cell for cell in cells if cell.get("outputs")], path)


if __name__ == "__main__":
    unittest.main()
