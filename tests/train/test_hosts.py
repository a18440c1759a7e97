"""Several real processes train what one trains, the command on each of them the same."""

import pytest

from seqnets.errors import UserError
from seqnets.train.hosts import join_hosts
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
