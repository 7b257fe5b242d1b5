# SPDX-License-Identifier: Apache-2.0
"""What people read of a run: the contenders of a case, and all cases in a table of Markdown."""

ENGINES = {"octet": "Octet", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO",
           "litert": "LiteRT", "onednn": "oneDNN"}


def _name(row: dict) -> str:
    """Without a variant that is the engine's name: it chose between two engines of one program."""
    variant = row["variant"] if row["variant"] != row["engine"] else ""
    return " ".join(filter(None, [row["form"], variant]))


def _time(us: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3), ("us", 1)):
        if us >= size:
            return f"{us / size:.3g} {unit}" if us < 1e3 * size else f"{us / size:.0f} {unit}"
    return f"{us * 1e3:.0f} ns"


def _percent(row: dict) -> str:
    return f"{row['percent_of_peak']:.0f}" if row.get("percent_of_peak") else "-"


def case_lines(rows: list[dict]) -> str:
    """The case with its contenders, a line each."""
    ours = rows[0]
    lines = [f"{ours['case']}  [{ours.get('kernel_set', '-')}]  {_percent(ours)} % of peak"]
    if "integer_percent" in ours:
        lines[0] += f", {ours['integer_percent']:.1f} % of the multiplications in integers"
    for row in rows:
        name = f"  {row['engine']} {_name(row)}"
        if "error" in row:
            lines.append(f"{name:46} {row['error']}")
        else:
            ratio = f"{row['ratio']:5.2f}" if "ratio" in row else "    -"
            lines.append(f"{name:46} {_time(row['best_us']):>8}  median "
                         f"{_time(row['median_us']):>8}  ratio {ratio}"
                         f"  error {row['relative_error']:.4f}")
    return "\n".join(lines)


def _engine_cell(rows: list[dict]) -> list[str]:
    """An engine's best quantized form and its float form, each with its ratio."""
    parts = []
    for forms in ([row for row in rows if row["form"] != "fp32"],
                  [row for row in rows if row["form"] == "fp32"]):
        timed = [row for row in forms if "ratio" in row]
        if timed:
            best = min(timed, key=lambda row: row["best_us"])
            parts.append(f"{_name(best)} **{best['ratio']:.2f}**")
        elif forms:
            wrong = any("relative_error" in row for row in forms)
            parts.append(f"{forms[0]['form']} {'answers wrongly' if wrong else 'failed'}")
    return parts


def _row(rows: list[dict]) -> list[str]:
    ours = rows[0]
    if "error" in ours:
        return [ours["case"], "failed", "-", "-", ours["error"]]
    engines = list(dict.fromkeys(row["engine"] for row in rows[1:] if row["engine"] != "octet"))
    cells = []
    for engine in engines or ["octet"]:  # no peers: another form of ours
        parts = _engine_cell([row for row in rows[1:] if row["engine"] == engine])
        cells.append(f"{ENGINES[engine]} {', '.join(parts)}")
    return [ours["case"], _time(ours["best_us"]), _percent(ours), ours["kernel_set"],
            "; ".join(cells)]


def table(results: list[list[dict]]) -> str:
    """All cases, for docs/performance.md; of model files with the share that runs in integers."""
    header = ["case", "Octet", "% of peak", "instruction set", "each peer's best right form: its "
              "time divided by Octet's"]
    rows = [_row(case) for case in results]
    if any("integer_percent" in case[0] for case in results):
        header.insert(1, "% in integers")
        for row, case in zip(rows, results):
            percent = case[0].get("integer_percent")
            row.insert(1, "-" if percent is None else f"{percent:.0f}")
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
