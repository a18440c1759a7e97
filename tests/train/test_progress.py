"""What is shown while a model trains."""

import io
import subprocess
import sys

from seqnets.train.progress import PlainLines, Status


def status(step, **figures):
    return Status(step, 100, figures or {"loss": 1.0}, 1000.0, "characters", 10.0)


def test_plain_lines_are_throttled_but_the_last_is_shown():
    stream = io.StringIO()
    lines = PlainLines(stream, interval=60.0)
    for step in range(10, 101, 10):
        lines.update(status(step))
    shown = stream.getvalue().splitlines()
    assert [line.split()[1] for line in shown] == ["10/100", "100/100"]


def test_plain_lines_hold_no_control_characters():
    stream = io.StringIO()
    lines = PlainLines(stream)
    lines.validated(5, {"nats": 1.25}, True)
    lines.preview("a\nb")
    lines.update(status(100, loss=2.5))
    lines.close()
    text = stream.getvalue()
    assert "nats 1.2500" in text
    assert "\x1b" not in text
    assert "\r" not in text


def test_importing_the_settings_costs_no_orbax_and_no_matplotlib():
    program = (
        "import sys, seqnets; seqnets.train.fit; seqnets.TrainConfig; seqnets.CharLMTask; "
        "print([name for name in ('orbax.checkpoint', 'matplotlib', 'tensorboardX') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
