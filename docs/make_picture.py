"""Take a picture of a page, as a browser shows it: the reports and the site in docs/images.

Usage: python docs/make_picture.py PAGE.html OUT.png [--width 1200] [--height 900] [--from 0]. It needs Qt's browser,
``pip install PySide6``, which is no dependency of emoset, and no display.
"""

import argparse
import os
from pathlib import Path

_SETTLE_MS = 2500  # pictures and fonts of the page are there by then


def main() -> None:
    """Load the page, scroll to ``--from``, and write what a window of that size shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--from", dest="top", type=int, default=0, help="pixels below the top of the page")
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("QTWEBENGINE_CHROMIUM_FLAGS", "--no-sandbox --disable-gpu")
    from PySide6.QtCore import QTimer, QUrl
    from PySide6.QtWebEngineWidgets import QWebEngineView
    from PySide6.QtWidgets import QApplication

    application = QApplication([])
    view = QWebEngineView()
    view.resize(options.width, options.height)

    def take() -> None:
        view.grab().save(str(options.out))
        application.quit()

    def loaded(well: bool) -> None:
        if not well:
            raise SystemExit(f"{options.page} cannot be loaded")
        view.page().runJavaScript(f"window.scrollTo(0, {options.top})")
        QTimer.singleShot(_SETTLE_MS, take)

    view.loadFinished.connect(loaded)
    view.load(QUrl.fromLocalFile(str(options.page.resolve())))
    view.show()
    application.exec()


if __name__ == "__main__":
    main()
