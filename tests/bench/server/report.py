# SPDX-License-Identifier: Apache-2.0
"""The figures of a run as a table of Markdown, with the machine that they were measured on."""
import os
import pathlib
import re
import subprocess

from measuring import Figure


def _cpu() -> str:
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", text)
    return model[1] if model else "unknown CPU"


def _kernel_set(octet: pathlib.Path, bundle: pathlib.Path) -> str:
    output = subprocess.run([octet, "inspect", bundle, "--json"], capture_output=True, text=True,
                            check=True).stdout
    return re.search(r'"kernel_set": "([^"]*)"', output)[1]


def machine(octet: pathlib.Path, bundle: pathlib.Path) -> str:
    return f"{_cpu()}, {os.cpu_count()} CPUs, kernels {_kernel_set(octet, bundle)}"


def _row(figure: Figure) -> str:
    met = {None: "", True: "met", False: "**missed**"}[figure.is_met]
    value = f"{figure.value:.3g} {figure.unit}".strip()
    details = figure.details.replace("|", "\\|")
    return f"| {figure.name} | {value} | {figure.target} | {met} | {details} |"


def table(figures: list[Figure], about: str) -> str:
    lines = [f"Measured on: {about}. Without a unit, a figure is a ratio.", "",
             "| figure | measured | target | | |", "|---|---|---|---|---|"]
    return "\n".join(lines + [_row(figure) for figure in figures]) + "\n"
