"""Weight files: a bit that has flipped anywhere is found, or changes nothing."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.weights.files import METADATA, read_weight_file, write_weight_file

ARRAYS = {"kernel": np.arange(12, dtype=np.float32).reshape(3, 4), "bias": np.ones(4, np.float16)}


def content_of(path):
    found = read_weight_file(path)
    facts = {name: value for name, value in found.facts.items() if name != "checksum"}
    return facts, {name: (array.dtype, array.shape, array.tobytes()) for name, array in found.arrays.items()}


def content_unless_refused(path):
    try:
        return content_of(path)
    except UserError:
        return None


@pytest.mark.parametrize("torch", [False, True])
def test_no_flipped_bit_changes_what_is_read(tmp_path, torch):
    path = tmp_path / "w.safetensors"
    write_weight_file(path, ARRAYS, Preprocessing(), torch=torch)
    whole, expected, unnoticed = path.read_bytes(), content_of(path), 0
    for bit in range(torch, 8 * len(whole), 9):  # one of every byte; all are found, too, in eight times the time
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        found = content_unless_refused(path)
        assert found in (None, expected), bit
        unnoticed += found is not None
    assert unnoticed <= torch * 8 * len("formatpt")  # which seqnets does not read


def test_an_older_file_is_read(tmp_path):
    path = tmp_path / "w.safetensors"
    facts = {"preprocessing": Preprocessing().to_json()}
    path.write_bytes(save(ARRAYS, {METADATA: json.dumps(facts)}))
    assert read_weight_file(path).facts == facts
