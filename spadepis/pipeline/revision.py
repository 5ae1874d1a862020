"""The pixel revision, which every commit row carries.

A change after which the same inputs and settings give other images raises it by one.
"""

from __future__ import annotations

from typing import Final

REVISION: Final = 3
"""Version 0.1 wrote none; its images count as revision 1."""
