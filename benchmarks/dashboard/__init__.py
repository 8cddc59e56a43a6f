"""The committed results as a page for people: `python -m benchmarks.dashboard` writes it into `site/`, and measures nothing.

`findings.py` says what the numbers mean (which peer is faster, where fastgrad loses), `plot.py` draws axes and marks as SVG, `charts.py`
the figures, `page.py` and `style.css` the page; `performance.py` writes `docs/performance.md` from the same files.
"""
