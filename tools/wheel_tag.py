"""Names a wheel for its Python and platform if it brings compiled kernels; without these it is for all."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelTag(BuildHookInterface):
    """Hatch calls `initialize` before it builds a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Looks for compiled kernels. An editable installation takes what is in the tree."""
        brings_code = any(Path(self.root, "src/fastgrad/kernels/installed").glob("*.db"))
        if version == "standard" and brings_code:
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
