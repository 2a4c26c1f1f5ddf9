import subprocess
import sys

from project import ROOT

PROGRAM = """
import logging
import sys
from maple.runtime.logs import log_to
log_to(sys.argv[1])
print("\\x1b]0;title\\x07said \\x1b[31mred\\x00 and \\x9b2Jgone, \\u202eturned", "half \\ud83d", sep="\\n\\t")
logging.getLogger("server").info("\\x1b[2Jmessage")
raise ValueError("a row with \\x08\\x08 in it")
"""


def test_text_of_others_commands_no_terminal_that_shows_a_log(tmp_path):
    subprocess.run([sys.executable, "-c", PROGRAM, tmp_path / "a.log"], cwd=ROOT, capture_output=True)
    log = (tmp_path / "a.log").read_text(encoding="utf-8")
    assert log.startswith("said red and gone, turned\n\thalf \n")
    assert "server: message\n" in log and "ValueError: a row with  in it" in log
