"""What the whole suite shares: kernels stay compiled between runs."""

import os
from pathlib import Path

os.environ.setdefault("FASTGRAD_CACHE_DIR", str(Path(__file__).resolve().parents[1] / ".cache" / "kernels"))
