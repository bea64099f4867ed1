"""The pages in a browser: on a phone, none has to be scrolled sideways."""

import html
import subprocess
from dataclasses import replace

import pytest

from darkroom.components.run_report.comparison import Comparison, Side, render_comparison
from darkroom.components.run_report.data import Stop, Verdict
from darkroom.components.run_report.render import render
from darkroom.tests.components.run_report.pages import WHOLE, many_classes
from darkroom.tests.components.run_report.test_comparison import SUMMARY
from darkroom.tests.programs import find_program

WIDTH = 400
MEASURE = """<script>addEventListener("load", () => document.body.append("widths: " +
    [...document.querySelectorAll("iframe")].map(
        frame => frame.contentDocument.documentElement.scrollWidth).join(" ") + ";"))</script>"""


def pages():
    """Few, some and many classes; two runs; a failed run with a long line in everything."""
    few, some, many = (many_classes(count) for count in (3, 15, 120))
    sides = [Side(f"digits/{n}", {**SUMMARY, "recipe": {"a": n}}, many.evaluation) for n in "12"]
    long = "/a/path/that/has/no/blank" * 30
    failed = replace(
        WHOLE,
        request=replace(WHOLE.request, config=long, commit=long, text=long),
        verdict=Verdict("failed", reasons=(long,)),
        stop=Stop((long,), (long,)),
        problems=(long,),
    )
    return [
        *(render(data) for data in (few, some, many, failed)),
        render_comparison(Comparison(*sides)),
    ]


@pytest.mark.host
def test_no_page_is_wider_than_a_phone(tmp_path):
    browser = find_program("chromium")
    made = [*pages(), f"<div style='width:{WIDTH + 77}px'>too wide</div>"]
    frames = "".join(
        f'<iframe width="{WIDTH}" height="800" srcdoc="{html.escape(page)}"></iframe>'
        for page in made
    )
    (tmp_path / "frames.html").write_text(f"<!doctype html><body>{frames}{MEASURE}", "utf-8")
    ended = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         f"--user-data-dir={tmp_path / 'profile'}", str(tmp_path / "frames.html")],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    widths = ended.stdout.rpartition("widths: ")[2].partition(";")[0].split()
    assert len(widths) == len(made), ended.stderr
    assert int(widths.pop()) > WIDTH, "what is too wide is seen"
    assert {int(width) for width in widths} <= set(range(WIDTH + 1))
