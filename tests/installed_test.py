#!/usr/bin/env python3
"""Installs what was built into a folder, moves it, and uses it there: the program finds its configurations, and the project
in examples/cpp is built against the library and finds them too.

    installed_test.py --cmake CMAKE --compiler CXX --build BUILD --source SOURCE
"""
import argparse
import os
import shutil
import subprocess
import tempfile


def run(*command, fails=False, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if (done.returncode != 0) != fails:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def expect(text, *parts):
    for part in parts:
        if part not in text:
            raise SystemExit(f"'{part}' is not in\n{text}")


def main():
    parser = argparse.ArgumentParser()
    for name in ("cmake", "compiler", "build", "source"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    environment = {k: v for k, v in os.environ.items() if k != "MODELMETER_DATA_DIR"}
    with tempfile.TemporaryDirectory(prefix=f"modelmeter-installed-{os.getpid()}-") as folder:
        run(given.cmake, "--install", given.build, "--prefix", f"{folder}/first")
        os.rename(f"{folder}/first", f"{folder}/opt")
        program = f"{folder}/opt/bin/modelmeter"
        line = ["analyze", "--config-name", "wan2_1_t2v_14b", "workload=wan2-1-ci-tiny", "report=none"]
        expect(run(program, *line, env=environment, cwd=folder), "## Totals")

        os.mkdir(f"{folder}/project")
        for name in ("CMakeLists.txt", "main.cc"):
            shutil.copy(f"{given.source}/examples/cpp/{name}", f"{folder}/project/{name}")
        run(given.cmake, "-S", f"{folder}/project", "-B", f"{folder}/build", f"-DCMAKE_PREFIX_PATH={folder}/opt",
            f"-DCMAKE_CXX_COMPILER={given.compiler}")
        run(given.cmake, "--build", f"{folder}/build")
        mine = f"{folder}/build/my_model"
        # 2 x 2048 tokens x 3 matrices of 4096 x 11008; of the run 32 layers, 10 times
        flops = 2 * 2048 * 3 * 4096 * 11008
        expect(run(mine, env=environment, cwd=folder), f"one GatedMlp: {flops} FLOP", f"{flops * 320:,}", "prefill/net/layer x 32")
        expect(run(mine, "h100_sxm", env=environment, cwd=folder), "h100_sxm")
        expect(run(mine, "h100_smx", env=environment, cwd=folder, fails=True), "did you mean 'h100_sxm'?")
        shutil.rmtree(f"{folder}/opt/share/modelmeter")
        expect(run(mine, "h100_sxm", env=environment, cwd=folder, fails=True), "share/modelmeter", "MODELMETER_DATA_DIR")
    print("the installed copy runs, and a project is built against it")


if __name__ == "__main__":
    main()
