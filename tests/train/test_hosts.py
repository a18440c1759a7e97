"""Several real processes train what one trains, the command on each of them the same."""

from copy import deepcopy
from functools import reduce

import pytest

from seqnets.errors import UserError
from seqnets.train.hosts import join_hosts
from seqnets.train.resume import check_alike
from train.device_program import free_port
from train.host_commands import Hosts


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_processes_train_what_one_trains_and_one_goes_on(tmp_path, count):
    Hosts(tmp_path / "several", 16, count).finish()
    several, one = Hosts(tmp_path / "several", 24), Hosts(tmp_path / "one", 24)  # the checkpoint of several processes, on one
    several.finish()
    one.finish()
    found, expected = ({(line["step"], "loss" in line): line for line in hosts.lines()} for hosts in (several, one))
    assert found.keys() == expected.keys()
    for key, line in expected.items():
        assert found[key] == pytest.approx(line, rel=2e-4, abs=2e-5)


@pytest.mark.slow
def test_slurm_tells_its_tasks_who_they_are(tmp_path):
    job = {"SLURM_JOB_ID": str(free_port() % 4096), "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2"}
    tasks = [{"SLURM_PROCID": str(n), "SLURM_LOCALID": str(n), "SLURM_STEP_NUM_NODES": "1"} for n in range(2)]
    hosts = Hosts(tmp_path / "run", 8, 1, "--hosts", "auto", environments=[job | task for task in tasks])
    hosts.finish()
    assert [line["step"] for line in hosts.lines()] == [4, 8, 8]
    assert "step 8" not in hosts.output(1)


@pytest.mark.slow
def test_processes_with_other_texts_do_not_train_together(tmp_path):
    for number in range(2):
        (tmp_path / f"{number}.txt").write_text(f"{'abcd'[number:]} and so on. " * 100)
    environments = [{"TEXT": str(tmp_path / f"{number}.txt")} for number in range(2)]
    program = ["-c", "import os, sys; from seqnets.cli.main import main; sys.exit(main([*sys.argv[1:], os.environ['TEXT']]))"]
    with Hosts(tmp_path / "run", 8, 2, program=program, environments=environments) as hosts:
        assert [process.wait(100) for process in hosts.processes] == [2, 2]
        assert "must be given the same: data.text" in hosts.output(0)


@pytest.mark.parametrize(("section", "name"), [("train", "seed"), ("data", "text"), ("model", "config.layers")])
def test_what_differs_between_processes_is_named(section, name):
    *outer, last = name.split(".")
    first = {"task": "text", "model": {"config": {"layers": 1}}, "train": {"seed": 0}, "data": {"text": "a"}}
    other = deepcopy(first)
    reduce(dict.__getitem__, outer, other[section])[last] = 7
    check_alike([first, deepcopy(first)])
    with pytest.raises(UserError, match=f"the same: {section}.{name} is .* in the first process and 7 in number 2"):
        check_alike([first, first, other])


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"JAX_NUM_PROCESSES": "2"}, "JAX_NUM_PROCESSES is set and JAX_COORDINATOR_ADDRESS is not"),
        ({"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "2"}, "must be a number from 0"),
        ({"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "two", "JAX_PROCESS_ID": "0"}, "must be a number from 0"),
    ],
)
def test_half_an_environment_is_refused(environment, message):
    with pytest.raises(UserError, match=message):
        join_hosts("env", environment)
