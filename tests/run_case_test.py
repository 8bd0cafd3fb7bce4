#!/usr/bin/env python3
"""The case runner finds what is wrong: a runner that passes everything would hide every bug."""

import os
import pathlib
import tempfile
import unittest

import run_case


class RunnerTest(unittest.TestCase):
    def run_text(self, text):
        """The differences of each case of a file, with `echo` in the place of the program."""
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "a.case"
            file.write_text(text, encoding="utf-8")
            _, cases = run_case.parse(file)
            self.assertEqual(run_case.render(*run_case.parse(file)), text)
            program = pathlib.Path("/bin/echo")
            return [run_case.differences(case, run_case.Run(case, program, pathlib.Path("/src"))) for case in cases]

    def case(self, *sections, command="modelmeter hello"):
        return "=== t\n--- command\n" + command + "\n" + "".join(sections)

    def test_equal_output_passes(self):
        self.assertEqual(self.run_text(self.case("--- stdout\nhello\n")), [[]])

    def test_other_output_fails(self):
        self.assertTrue(self.run_text(self.case("--- stdout\nhell\n"))[0])

    def test_exit_code_counts(self):
        self.assertTrue(self.run_text(self.case("--- stdout\n", command="exit 3"))[0])
        self.assertEqual(self.run_text(self.case("--- exit\n3\n--- stdout\n", command="exit 3")), [[]])

    def test_parts_must_come_in_order(self):
        self.assertEqual(self.run_text(self.case("--- stdout contains\nhe\nllo\n")), [[]])
        self.assertTrue(self.run_text(self.case("--- stdout contains\nllo\nhe\n"))[0])

    def test_lacks(self):
        self.assertTrue(self.run_text(self.case("--- stdout lacks\nell\n"))[0])

    def test_files_are_listed(self):
        self.assertEqual(self.run_text(self.case("--- files\na/b\n", command="mkdir a; echo > a/b")), [[]])
        self.assertTrue(self.run_text(self.case("--- files\n", command="echo > b"))[0])

    def test_inputs_are_made(self):
        text = "=== t\n--- input x/y\nabc\n--- command\ncat x/y\n--- stdout\nabc\n"
        self.assertEqual(self.run_text(text), [[]])

    def test_json_is_parsed_and_typed(self):
        command = """echo '{"a": [{"b": 1}]}'"""
        self.assertEqual(self.run_text(self.case("--- stdout json\na[0].b = 1\n", command=command)), [[]])
        for wrong in ("a[0].b = 2", "a[0].b = true", "a[1] = 1", "c = 1"):
            self.assertTrue(self.run_text(self.case(f"--- stdout json\n{wrong}\n", command=command))[0], wrong)
        self.assertTrue(self.run_text(self.case("--- stdout json\n", command="echo '[1]'"))[0])
        self.assertTrue(self.run_text(self.case("--- stdout json\n", command="echo '{'"))[0])

    def test_a_case_that_asserts_nothing_is_refused(self):
        for text in (self.case(), self.case("--- exit\n0\n"), self.case("--- stdout contains\n\n"), "no case\n",
                     self.case("--- stdot\nx\n"), "=== t\n--- stdout\nx\n"):
            with self.assertRaises(run_case.Malformed):
                self.run_text(text)

    def test_a_failing_line_of_the_script_ends_it(self):
        self.assertTrue(self.run_text(self.case("--- stdout\nx\n", command="false\necho x"))[0])


if __name__ == "__main__":
    os.chdir(pathlib.Path(__file__).parent)
    unittest.main()
