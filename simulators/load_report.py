"""stub"""

from simulators.load_figures import Figures, Timeline


def report(figures: Figures, timeline: Timeline) -> str:
    """x"""
    return ""
