"""`python -m monitorx.backend.dashboard FOLDER`: write the dashboards, one file each."""

import sys
from pathlib import Path

from monitorx.backend.dashboard.grafana import rendered
from monitorx.backend.dashboard.overview import MODEL_OVERVIEW

FILES = {"model-overview.json": MODEL_OVERVIEW}


def main(folder: Path) -> None:
    """Write every dashboard into *folder*."""
    for name, description in FILES.items():
        (folder / name).write_text(rendered(description))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m monitorx.backend.dashboard FOLDER")
    main(Path(sys.argv[1]))
