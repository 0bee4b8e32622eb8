"""The durable core over memory twins."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
