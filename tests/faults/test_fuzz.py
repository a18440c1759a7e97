"""Whatever a file holds, reading it ends soon, in little memory, and in a result or in one sentence."""

import gzip
import io
import itertools
import json
import os
import re
import resource
import signal
import tarfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from PIL import Image

import seqnets as sn
from seqnets import settings
from seqnets.checkpoint import Checkpoint, Checkpoints
from seqnets.data.archives import extract_archive
from seqnets.data.captions import read_captions, read_references
from seqnets.data.examples.pairs import read_pairs
from seqnets.data.examples.questions import read_questions
from seqnets.data.images.files import open_image
from seqnets.data.images.sets import read_images
from seqnets.data.words.vectors import read_vectors
from seqnets.data.words.vocabulary import WordVocabulary
from seqnets.errors import UserError
from seqnets.metrics.coco import read_results
from seqnets.tasks import TASKS
from seqnets.weights.files import read_weight_file

SECONDS, MEGABYTES = 10, 2048
FIRST_SEED = int(os.environ.get("SEQNETS_SEED", "100"))  # of the slow tests
CAPTIONS = [("a.jpg", "a dog runs ."), ("a.jpg", "a brown dog")] + [(f"{i}.jpg", 'a "cat", asleep') for i in range(30)]


def picture(form, mode="RGB"):
    rng = np.random.default_rng(0)
    shape = (24, 31) if mode == "L" else (24, 31, len(mode))
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, shape, np.uint8), mode).save(buffer, form)
    return buffer.getvalue()


def tar(form):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{form}") as archive:
        for name, content in {"a/b.txt": b"whole", "c.jpg": picture("JPEG")}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", "whole" * 50)
    return buffer.getvalue()


def arrays_file(save):
    buffer = io.BytesIO()
    save(buffer, kernel=np.ones((3, 3, 3, 4), np.float32), bias=np.zeros(4, np.float32))
    return buffer.getvalue()


def safetensors():
    from safetensors.numpy import save

    return save({"kernel": np.ones((3, 3), np.float32), "bias": np.zeros(3, np.float16)}, {"format": "pt"})


def coco():
    annotations = [{"image_id": i, "caption": text} for i, (_, text) in enumerate(CAPTIONS)]
    return json.dumps(
        {"images": [{"id": i, "file_name": f"{i}.jpg"} for i in range(len(CAPTIONS))], "annotations": annotations}
    ).encode()


def settings_of(task):
    def read(path):
        settings.replaced(TASKS[task].settings().default(), settings.read(path), path.name)

    return read


def folder_of_images(path):
    (path.parent / "cat").mkdir()
    (path.parent / "cat" / "x.png").write_bytes(path.read_bytes())
    (path.parent / "dog").mkdir()
    (path.parent / "dog" / "y.png").write_bytes(picture("PNG"))
    path.unlink()
    return read_images(path.parent)


def idx(path):
    header = (0x801).to_bytes(4, "big") + (2).to_bytes(4, "big")
    (path.parent / "t10k-labels-idx1-ubyte").write_bytes(header + b"\1\2")
    path.rename(path.parent / "t10k-images-idx3-ubyte")
    return read_images(path.parent)


IDX = (0x803).to_bytes(4, "big") + b"".join(n.to_bytes(4, "big") for n in (2, 28, 28)) + bytes(2 * 784)
CSV = "image,caption\n" + "".join(f'{name},"{text.replace(chr(34), chr(34) * 2)}"\n' for name, text in CAPTIONS)
TOML = 'corpus = ["a.txt"]\n[model]\ncell = "gru"\nhidden_features = 32\n[train]\nsteps = 500\nlearning_rate = 1e-3\n'
VECTORS = "3 4\ndog 1 2 3 4\ncat 0.5 -1 2e-3 4\na 1 1 1 1\n"

# name -> (a whole file, its name, what reads it)
KINDS = {
    "text": (lambda: "Grüße, ROMEO:\n".encode() * 40, "a.txt", lambda path: sn.read_text(path)),
    "text-gz": (lambda: gzip.compress(b"To be, or not to be\n" * 40), "a.txt.gz", lambda path: sn.read_text(path)),
    "captions-csv": (CSV.encode, "c.csv", read_captions),
    "captions-tokens": (lambda: "".join(f"{n}#{i}\t{t}\n" for i, (n, t) in enumerate(CAPTIONS)).encode(), "c.txt", read_captions),
    "captions-lines": (
        lambda: "\n".join(json.dumps({"image": n, "caption": t}) for n, t in CAPTIONS).encode(),
        "c.jsonl",
        read_captions,
    ),
    "captions-coco": (coco, "c.json", read_captions),
    "references": (coco, "r.json", read_references),
    "results": (lambda: json.dumps(json.loads(coco())["annotations"]).encode(), "r.json", read_results),
    "questions": (lambda: json.dumps([["what shape?", "circle", 0]] * 3).encode(), "q.json", read_questions),
    "pairs": (lambda: b"hello\tbonjour\ngood day\tbonne journee\n", "p.tsv", lambda path: read_pairs([path])),
    "vectors": (VECTORS.encode, "v.txt", lambda path: read_vectors(path, WordVocabulary.from_captions(["a dog", "a cat"]))),
    "jpeg": (lambda: picture("JPEG"), "a.jpg", open_image),
    "png": (lambda: picture("PNG", "RGBA"), "a.png", open_image),
    "gif": (lambda: picture("GIF", "L"), "a.gif", open_image),
    "tiff": (lambda: picture("TIFF"), "a.tiff", open_image),
    "webp": (lambda: picture("WEBP"), "a.webp", open_image),
    "bmp": (lambda: picture("BMP"), "a.bmp", open_image),
    "image-folder": (lambda: picture("PNG"), "x.png", folder_of_images),
    "idx": (lambda: IDX, "images", idx),
    "settings": (TOML.encode, "a.toml", settings_of("text")),
    "settings-classifier": (lambda: b'task = "classifier"\n[train]\nsteps = 300\n', "b.toml", settings_of("classifier")),
    "npz": (lambda: arrays_file(np.savez), "w.npz", read_weight_file),
    "safetensors": (safetensors, "w.safetensors", read_weight_file),
    "tar-gz": (lambda: tar("gz"), "a.tar.gz", lambda path: extract_archive(path, path.parent / "out")),
    "tar": (lambda: tar(""), "a.tar", lambda path: extract_archive(path, path.parent / "out")),
    "zip": (zipped, "a.zip", lambda path: extract_archive(path, path.parent / "out")),
}


def mutated(content, rng):
    """Flip bits, cut, repeat, insert or exchange parts of a file; sometimes make a new one."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        at, to = sorted(int(i) for i in rng.integers(0, len(data) + 1, 2))
        match rng.integers(7):
            case 0:
                if data:
                    data[at % len(data)] ^= 1 << int(rng.integers(8))
            case 1:
                del data[at:]
            case 2:
                del data[at:to]
            case 3:
                data[at:at] = data[at:to]
            case 4:
                data[at:at] = rng.integers(0, 256, int(rng.integers(1, 64)), np.uint8).tobytes()
            case 5:
                data[at:to] = b"\xff" * min(to - at, 8)
            case 6:
                data[at:at] = [b"\0", b"[" * 2000, b"{" * 2000, b"9" * 400, b"\xed\xa0\x80", b"../../", b"\r\n", b'"'][
                    int(rng.integers(8))
                ]
    return bytes(data)


@pytest.fixture
def bounded():
    """No more than ten seconds, and two gigabytes of memory above what there is."""

    def late(number, frame):
        raise TimeoutError(f"not done after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    used = int(re.search(r"VmData:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEGABYTES * 2**20, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, limits)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@cache
def whole(kind):
    return KINDS[kind][0]()


def check(kind, seed, folder):
    _, name, read = KINDS[kind]
    path = folder / str(seed) / name
    path.parent.mkdir()
    path.write_bytes(mutated(whole(kind), np.random.default_rng([seed, *kind.encode()])))
    signal.alarm(SECONDS)
    try:
        read(path)
    except UserError as error:
        sentence = str(error)
    else:
        sentence = "read"
    finally:
        signal.alarm(0)
    assert sentence.strip()
    assert "Traceback" not in sentence


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_file_is_read(kind, tmp_path):
    _, name, read = KINDS[kind]
    (tmp_path / name).write_bytes(whole(kind))
    read(tmp_path / name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_changed_files(kind, tmp_path, bounded):
    for seed in range(6):
        check(kind, seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_changed_files(kind, tmp_path, bounded):
    for seed in range(FIRST_SEED, FIRST_SEED + 40):
        check(kind, seed, tmp_path)


def without_checksums(path):
    """Make config.json into one of an older seqnets, so that what is wrong in it is not noticed by its checksum."""
    old = {name: value for name, value in json.loads(path.read_text()).items() if name not in ("files", "checksum")}
    path.write_text(json.dumps(old | {"format_version": 1}, indent=2))


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("seeds", [range(8), pytest.param(range(FIRST_SEED, FIRST_SEED + 60), marks=pytest.mark.slow)])
def test_changed_run_folders(tmp_path, bounded, seeds, checked):
    corpus = sn.read_text(__file__)
    model = sn.CharLM(corpus.vocabulary, hidden_features=4, embedding_features=3, rngs=nnx.Rngs(0))
    run = tmp_path / "run"
    config = sn.TrainConfig(steps=1, batch_size=2, evaluate_every=0)
    sn.fit(sn.CharLMTask(model, corpus, window=4), config, directory=run, progress=None)
    names = ("config.json", "vocabulary.json", "model.safetensors", "metrics.jsonl")
    if not checked:
        without_checksums(run / "config.json")
    for seed, name in itertools.product(seeds, names):
        content = (run / name).read_bytes()
        (run / name).write_bytes(mutated(content, np.random.default_rng([seed, len(name)])))
        signal.alarm(SECONDS)
        try:
            sn.load(run)
        except UserError as error:
            sentence = str(error)
        else:
            sentence = "read"
        finally:
            signal.alarm(0)
            (run / name).write_bytes(content)
        assert sentence.strip()


def test_changed_checkpoints(tmp_path):
    with Checkpoints(tmp_path / "checkpoints", tell=lambda sentence: None) as checkpoints:
        checkpoints.save(Checkpoint(1, {"w": np.arange(100, dtype=np.float32)}, {"loss": 1.0}))
        checkpoints.wait()
        files = [path for path in sorted((tmp_path / "checkpoints" / "1").rglob("*")) if path.is_file()]
        for seed, path in enumerate(files):
            content = path.read_bytes()
            path.write_bytes(mutated(content, np.random.default_rng(seed)))
            if path.read_bytes() != content:
                with pytest.raises(UserError, match="step 1"):
                    checkpoints.read(1)
            path.write_bytes(content)
        assert checkpoints.read(1).record == {"loss": 1.0}
