"""Files of torch.save, of every age, read without torch: torch is the oracle, and hostile pickles are refused."""

import io
import pickle
import subprocess
import sys
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest

from seqnets.errors import UserError
from seqnets.weights.files import read_weight_file
from seqnets.weights.torch_file import Refused, read_torch_file

torch = pytest.importorskip("torch")


def contents():
    matrix = torch.arange(600.0).reshape(20, 30) - 300
    modules = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 4), "b": torch.nn.BatchNorm2d(5), "c": torch.nn.LSTM(3, 4)})
    names = ["float16", "bfloat16", "float64", "int64", "int32", "int16", "int8"]
    kinds = {kind: matrix.to(getattr(torch, kind)) for kind in names}
    return {
        "modules": modules.state_dict(),
        "views": [matrix[3:5], matrix.T, matrix[::2, 1], matrix.reshape(2, 10, 30).permute(2, 0, 1), torch.zeros(3).expand(4, 3)],
        "kinds": kinds | {"bool": matrix > 0, "uint8": matrix.to(torch.uint8)},
        "parameter": torch.nn.Parameter(matrix[:2]),
        "small": [torch.tensor(3.0), torch.zeros(0, 3)],
        "others": [None, True, False, -5, 300, 70_000, 10**30, 2.5, "é" * 300, (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {}],
        "known": OrderedDict(size=torch.Size([2, 3]), milestones=Counter([30, 60])),
    }


def assert_equal(found, expected):
    if isinstance(expected, torch.Tensor):
        expected = expected.detach()
        assert found.dtype.name == str(expected.dtype).removeprefix("torch.")
        assert found.shape == tuple(expected.shape)
        np.testing.assert_array_equal(found.astype(np.float64), expected.double().numpy())
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in expected:
            assert_equal(found[name], expected[name])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            assert_equal(one, other)
    else:
        assert found == expected


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])
def test_what_torch_writes_is_read(tmp_path, zipped, protocol):
    path, content = tmp_path / "w.pth", contents()
    torch.save(content, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    assert_equal(read_torch_file(path), content)


def test_it_needs_no_torch(tmp_path):
    torch.save({"kernel": torch.ones(2, 3)}, tmp_path / "w.pth")
    program = (
        "import sys; sys.modules['torch'] = None; from seqnets.weights.files import read_weight_file; "
        f"print(read_weight_file({str(tmp_path / 'w.pth')!r}).arrays['kernel'].sum())"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "6.0\n"


class Calls:
    def __init__(self, function, *arguments):
        self.called = function, arguments

    def __reduce__(self):
        return self.called


def zipped(path, pickled, **storages):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", pickled)
        for key, content in storages.items():
            archive.writestr(f"w/data/{key.removeprefix('_')}", content)
    return path


def test_no_pickle_runs_anything(tmp_path):
    mark = tmp_path / "mark"
    for protocol in range(6):
        for path in (zipped(tmp_path / "w.pth", pickle.dumps(Calls(mark.write_text, "ran"), protocol)), tmp_path / "plain.pth"):
            (tmp_path / "plain.pth").write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C) + pickle.dumps(Calls(mark.touch), protocol))
            with pytest.raises(UserError, match="holds more than weights"):
                read_weight_file(path)
    assert not mark.exists()
    with pytest.raises(Refused, match=r"builtins\.eval"):
        read_torch_file(zipped(tmp_path / "e.pth", b"cbuiltins\neval\n(X\1\0\0\0001tR."))


class Storage(pickle.Pickler):
    def persistent_id(self, obj):
        return ("storage", torch.FloatStorage, "0", "cpu", 6) if obj is Ellipsis else None


@pytest.mark.parametrize(("offset", "shape", "strides"), [
    (0, (7,), (1,)), (1, (6,), (1,)), (0, (2, 3), (4, 1)), (-1, (2,), (1,)), (5, (6,), (-1,)), (0, (2**62, 2), (1, 1)),
    (0, (-2,), (1,)), (0, (2,), (1, 1)), (0, ("x",), (1,)),
])  # fmt: skip
def test_a_tensor_beyond_its_storage_is_damage(tmp_path, offset, shape, strides):
    content = io.BytesIO()
    kernel = Calls(torch._utils._rebuild_tensor_v2, ..., offset, shape, strides, False, OrderedDict())
    Storage(content, 2).dump({"kernel": kernel})
    with pytest.raises(UserError, match="is damaged, or not a torch file"):
        read_weight_file(zipped(tmp_path / "w.pth", content.getvalue(), _0=bytes(24)))


@pytest.mark.parametrize("pickled", [
    b"\x80\x02" + b"(" * 10_000 + b"t" * 10_000 + b".", b"r\xff\xff\xff\xff.", b"\x80\x02.", b"\x80\x02}", b"\x80\x02h\x05.",
    b"\x80\x02Ntt.", b"\x80\x02]NNs.", b"\x8e" + b"\xff" * 7 + b"\x7f.", b"",
])  # fmt: skip
def test_a_malformed_pickle_is_damage_or_refused(tmp_path, pickled):
    with pytest.raises(UserError, match=r"is damaged|holds more than weights|holds a tuple"):
        read_weight_file(zipped(tmp_path / "w.pth", pickled))


def test_a_cut_old_file_takes_no_memory_for_what_it_lacks(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"kernel": torch.ones(1000)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"M\xe8\x03", b"J\xe8\x03\x00\x70"))  # 1000 elements are said to be 1.9 billion
    assert content != path.read_bytes()
    with pytest.raises(UserError, match="is damaged"):
        read_weight_file(path)
    path.write_bytes(content[:-400])
    with pytest.raises(UserError, match="is damaged"):
        read_weight_file(path)
