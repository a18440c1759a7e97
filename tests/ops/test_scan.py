"""The portable scan equals the reference also where its loops are not loops."""

from functools import partial

import jax
import pytest

from numerics import assert_close
from recurrence_problems import CELLS, problem, results
from seqnets.ops.backends import reference, scan


@pytest.mark.parametrize(("name", "rows", "steps", "reverse"), [("gru-after", 2, 16, False), ("lstm", 1, 17, True)])
def test_equals_the_reference_where_loops_are_written_out(name, rows, steps, reverse):
    cell = CELLS[name]
    given = problem(cell, 5, rows, lengths=True, resets=True, zoneout=True, steps=steps)
    found, expected = [jax.jit(partial(results, run, cell.recurrence, reverse))(given) for run in (scan.run, reference.run)]
    assert_close(found, expected)
