"""The Markdown report."""

from sidebyside.table import markdown


def engine(name, qps, failure=None, reranked=None, **build):
    rows = [
        {"ef": e, "recall": r, "qps": qps / e, "distances": 9.0 * e, "hops": 1.0 * e} for e, r in ((10, 0.9), (20, 1.0))
    ]
    for row in rows if reranked else ():
        row["reranked"] = reranked * row["ef"]
    return {"name": name, "version": "1", "build": build, "sweeps": [] if failure else [rows, rows], "failure": failure}


def results():
    refused = {"during": "build", "reason": "no such | instruction"}
    figures = [{"block_bytes": b, "pages": p, "ns": b / 10} for b in (64, 128, 400) for p in ("huge", "4k")]
    rows = [{"block_bytes": 200, "pages": "huge", "ns": 30}]
    coded = {"figures": figures, "code_bytes": 64, "row_bytes": 200, "row_figures": rows}
    return {
        "machine": {
            "cpu": "CPU", "family": "X 1 2", "features": ["avx2"], "cpus": 2, "memory_bytes": 2**33,
            "caches": ["L2 1M"], "huge_pages": "madvise", "system": "Linux 6", "go": "go1.26",
        },
        "revision": "abc",
        "settings": {"m": 16, "ef_construction": 200, "build_threads": 2, "k": 10, "reps": 2},
        "data": {"name": "toy", "rows": 1000, "dim": 100, "metric": "l2", "query_rows": 50},
        "truth": "numpy",
        "loads": [0.1, 0.2],
        "limit": {"Shale fp32": {"figures": figures, "row_bytes": 400}, "Shale auto": coded},
        "engines": [
            engine("hnswlib", 1e5, seconds=2.0, resident_bytes=3 * 2**20, peak_bytes=None),
            engine("Shale fp32", 2e5, seconds=1.0, resident_bytes=2**20, peak_bytes=2**22),
            engine("Shale auto", 1.5e5, reranked=2, resident_bytes=2**19, storage="rabitq4", keep="fp16"),
            engine("other", 0, failure=refused),
        ],
    }  # fmt: skip


def rows_of(text, name):
    found = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]


def test_the_fastest_comes_first_and_ratios_are_to_hnswlib():
    text = markdown(results())
    assert text.index("| Shale fp32 |") < text.index("| hnswlib |")
    ours, theirs = rows_of(text, "Shale fp32")[0], rows_of(text, "hnswlib")[0]
    assert ours[1:5] == ["1.0", "1", "4", "20000"]
    assert theirs[1:5] == ["2.0", "3", "–", "10000"]
    assert ours[8] == "2.00" and theirs[8] == "1.00"


def test_failures_are_told_and_cannot_break_the_table():
    assert rows_of(markdown(results()), "other") == [["other", "build", "no such / instruction"]]


def test_the_limit_is_distances_and_hops():
    ninety = rows_of(markdown(results()), "Shale fp32")[1]
    assert ninety == ["Shale fp32", "0.90", "90", "0", "10", "3.7", "50.0", "7%"]


def test_with_codes_the_limit_reads_codes_and_the_rows_ranked_again():
    ninety = rows_of(markdown(results()), "Shale auto")[1]
    floor = (90 * 6.4 + 10 * 12.8 + 20 * 30) / 1e3
    assert ninety == ["Shale auto", "0.90", "90", "20", "10", f"{floor:.1f}", "66.7", f"{floor / 66.7:.0%}"]


def test_the_report_tells_what_was_chosen():
    assert "Shale auto walks over rabitq4 codes and ranks candidates by fp16 rows." in markdown(results())


def test_without_any_survivor_there_is_still_a_report():
    broken = results()
    broken["engines"] = broken["engines"][3:]
    assert "| other | build |" in markdown(broken)
