"""Laws under storms: the whole swarm in one process, on virtual time."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
