"""A command in a terminal of its own, what the terminal shows, and a picture of it."""

import os
import pty
import re
import subprocess
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, LINES = 110, 40
# What moves the cursor or clears a line; colours are left in the text.
_MOVES = re.compile(r"(\r|\n|\x1b\[\d*A|\x1b\[2K|\x1b\[\?25[lh])")


def typed_in_terminal(command: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command as if it had been typed into a terminal; return its exit status and all that it wrote."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (LINES, COLUMNS))
    process = subprocess.Popen(
        command,
        shell=True,
        cwd=folder,
        env=environment | {"TERM": "xterm-256color"},
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    written = b""
    try:
        while part := os.read(ours, 65536):
            written += part
    except OSError:  # how Linux ends a terminal that nobody writes to any more
        pass
    os.close(ours)
    return process.wait(), written.decode()


def shown_lines(written: str) -> list[str]:
    """Return the lines of a terminal after all this was written to it, with their colours."""
    lines, row = [""], 0
    for part in _MOVES.split(written):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.endswith("A") and part.startswith("\x1b"):
            row = max(0, row - int(part[2:-1] or 1))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif not _MOVES.fullmatch(part):
            lines[row] += part
    return lines


def picture(lines: list[str], title: str) -> str:
    """Return lines of a terminal as an SVG."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=True)
    # Without rich's fonts, which a browser would load from elsewhere.
    return re.sub(r"@font-face \{[^}]*\}\s*", "", console.export_svg(title=title, unique_id="terminal"))
