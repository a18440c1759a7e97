"""`seqnets train` as several processes of one run."""

import json
import os
import subprocess
import sys
from pathlib import Path

from train.device_program import free_port

ROOT = Path(__file__).parents[2]
WORDS = [
    *("train", "text", str(ROOT / "README.md"), "--model.hidden-features", "16", "--data.window", "8"),
    *("--train.batch-size", "8", "--train.log-every", "4", "--train.evaluate-every", "8", "--train.save-every", "8"),
    *("--train.schedule", "constant", "--train.warmup-steps", "0"),
]


class Hosts:
    """So many processes of one run, whose output goes to files beside its folder."""

    def __init__(self, folder, steps, count=1, *more, program=("-m", "seqnets.cli"), environments=()):
        several = {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{free_port()}", "JAX_NUM_PROCESSES": str(count)} if count > 1 else {}
        words = [sys.executable, *program, *WORDS, "--out", str(folder), "--train.steps", str(steps), *more]
        started = range(len(environments) or count)
        self.folder, self.logs = folder, [folder.with_name(f"{folder.name}-{number}.log") for number in started]
        self.processes = []
        for number, log in enumerate(self.logs):
            own = {"JAX_PROCESS_ID": str(number)} if several else {}
            own |= environments[number] if environments else {}
            environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1"} | several | own
            with log.open("w") as output:
                self.processes.append(subprocess.Popen(words, env=environment, stdout=output, stderr=subprocess.STDOUT))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(60)

    def finish(self, timeout=200):
        """Wait for all of them to end well."""
        codes = [process.wait(timeout) for process in self.processes]
        assert codes == [0] * len(codes), self.output(0)[-3000:]

    def output(self, number):
        """Return what a process has said so far."""
        return self.logs[number].read_text()

    def lines(self, name="metrics"):
        """Return the whole lines of metrics.jsonl or timing.jsonl so far."""
        path = self.folder / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []

    def saved(self):
        """Return the steps that have a checkpoint."""
        return sorted(int(path.name) for path in (self.folder / "checkpoints").glob("[0-9]*") if path.name.isdigit())
