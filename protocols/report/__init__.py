"""The report of a run: one HTML file with everything in it."""

from protocols.report.write import write_report

__all__ = ["write_report"]
