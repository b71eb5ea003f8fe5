"""Long tests of what may happen to a run and to its input.

``make soak`` runs them with SOAK=10; among the slow tests they are a tenth as long.
"""

from __future__ import annotations

import os

SOAK = int(os.environ.get("SOAK", "1"))
"""How many times longer than among the slow tests."""
