"""The revision of what makes pixels, which every commit row carries.

It is raised by one with a change after which the same inputs and settings give other images.
"""

from __future__ import annotations

from typing import Final

REVISION: Final = 2
"""Version 0.1 wrote none, and counts as 1."""
