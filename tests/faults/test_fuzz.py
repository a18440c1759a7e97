"""Whatever a file holds, reading it ends soon, in little memory, and in a result or in one sentence."""

import argparse
import ast
import atexit
import gzip
import io
import itertools
import json
import os
import re
import resource
import shutil
import signal
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from PIL import Image

import seqnets as sn
import seqnets.cli.score
from seqnets import settings
from seqnets.checkpoint import Checkpoint, Checkpoints
from seqnets.cli.networks import read_preprocessing
from seqnets.cli.sample import _prompt
from seqnets.cli.verify import inspect
from seqnets.data.archives import extract_archive
from seqnets.data.captions import read_captions, read_references
from seqnets.data.examples.config import LabeledTextConfig
from seqnets.data.examples.labeled_sequences import read_frames, read_inputs, read_labeled_sequences
from seqnets.data.examples.labeled_texts import read_labeled_texts
from seqnets.data.examples.pairs import read_pairs
from seqnets.data.examples.question_examples import Asked, laid_out, of_array
from seqnets.data.examples.questions import Question, read_questions
from seqnets.data.examples.trees import read_trees
from seqnets.data.features.index import Header, ImageRecord, Layer
from seqnets.data.features.store import FeatureStore
from seqnets.data.features.writer import FeatureWriter
from seqnets.data.images.files import open_image
from seqnets.data.images.idx import read_idx
from seqnets.data.images.labels import read_labels
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.images.sets import read_images
from seqnets.data.regions.proposals import _kept, with_proposals
from seqnets.data.regions.reading import draw_scenes, read_regions
from seqnets.data.words.vectors import read_vectors
from seqnets.data.words.vocabulary import WordVocabulary, token_vocabulary
from seqnets.errors import UserError
from seqnets.metrics.coco import read_results
from seqnets.metrics.coco_detections import score_detections
from seqnets.run import read_samples
from seqnets.tasks import TASKS
from seqnets.weights.files import read_weight_file
from seqnets.weights.named import class_names
from seqnets.weights.published import stated_preprocessing
from seqnets.weights.tensorflow_rnn import read_ml5

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
        settings.replaced(TASKS[task].recipe().default(), settings.read(path), path.name)

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

RECORDS = np.random.default_rng(0).integers(0, 9, (4, 3073), np.uint8)
VQA = {"questions": [{"question_id": 1, "image_id": 42, "question": "what shape?"}]}
ANSWERS = {"annotations": [{"question_id": 1, "multiple_choice_answer": "circle"}]}
KARPATHY = {"images": [{"filename": f"{i}.jpg", "split": "train", "sentences": [{"raw": "a dog"}]} for i in range(5)]}
TIMM = {"pretrained_cfg": {"input_size": [3, 24, 24], "crop_pct": 0.9, "interpolation": "bicubic", "mean": [0.5] * 3}}


def as_json(value):
    return lambda: json.dumps(value).encode()


def beside(name, content, read):
    """Put another file beside the one that is read."""

    def reading(path):
        (path.parent / name).write_bytes(content)
        return read(path)

    return reading


@cache
def a_run():
    folder = Path(tempfile.mkdtemp()) / "run"
    atexit.register(shutil.rmtree, folder.parent)
    corpus = sn.read_text(__file__)
    model = sn.CharLM(corpus.vocabulary, hidden_features=4, embedding_features=3, rngs=nnx.Rngs(0))
    config = sn.TrainConfig(steps=1, batch_size=2, evaluate_every=0)
    sn.fit(sn.CharLMTask(model, corpus, window=4), config, directory=folder, progress=None)
    return folder


def of_a_run(name):
    """Return how to read a run with one file exchanged: load it, verify it, read the checkpoint."""

    def read(path):
        folder = path.parent / "run"
        shutil.copytree(a_run(), folder)
        if name != "config.json":
            without_checksums(folder / "config.json")
        (folder / name).write_bytes(path.read_bytes())
        list(inspect(folder))
        return sn.load(folder)

    return lambda: (a_run() / name).read_bytes(), Path(name).name, read


@cache
def a_store():
    folder = Path(tempfile.mkdtemp()) / "store"
    atexit.register(shutil.rmtree, folder.parent)
    with FeatureWriter(folder, Header({"model": "tiny"}, {"pool": Layer((2,))}, "float32", rows_per_shard=3)) as writer:
        records = [ImageRecord(f"/{i}.png", 7, 0, f"f{i}") for i in range(5)]
        writer.add([*records, ImageRecord("/bad.png", 1, 0, None, "no image")], {"pool": np.ones((5, 2))})
    return folder


def of_a_store(name):
    def read(path):
        folder = path.parent / "store"
        shutil.copytree(a_store(), folder)
        (folder / name).write_bytes(path.read_bytes())
        store = FeatureStore(folder)
        assert str(path) not in store
        assert len(store.failures) + len(store.paths) == len(store.records)
        store.gather(store.digests)
        found = store.header
        with FeatureWriter(folder, found):
            return found

    return lambda: (a_store() / name).read_bytes(), name, read


def cached_text(path):
    texts = path.parent / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("to be or not to be " * 9)
    config = sn.TextConfig(in_memory_megabytes=0, cache_directory=str(path.parent))
    corpus = sn.read_text(texts / "a.txt", config=config)
    (kept,) = (path.parent / "text").glob("*.tokens")
    content = kept.read_bytes() if not path.stat().st_size else path.read_bytes()
    kept.write_bytes(content)
    assert sn.read_text(texts / "a.txt", config=config).vocabulary == corpus.vocabulary


@cache
def token_file():
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a").touch()
        cached_text(Path(folder) / "a")
        return next((Path(folder) / "text").glob("*.tokens")).read_bytes()


def prompt_of(path):
    return _prompt(argparse.Namespace(prompt_file=str(path)), sn.Vocabulary.from_text("abc"))


def sharded(path):
    (path.parent / "a.safetensors").write_bytes(safetensors())
    return read_weight_file(path)


def weights_beside(path):
    (path.parent / "w.safetensors").write_bytes(safetensors())
    stated_preprocessing(read_weight_file(path.parent / "w.safetensors"))
    return class_names(path.parent / "w.safetensors")


def torch_file(zipped=True):
    torch = pytest.importorskip("torch")
    buffer = io.BytesIO()
    torch.save({"kernel": torch.ones(3, 3)}, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def read_torch(path):
    found = read_weight_file(path)
    stated_preprocessing(found)


def labeled_texts(path):
    return read_labeled_texts([path], LabeledTextConfig())


def coco_file(path):
    path.write_bytes(coco())
    return path


def frames_file():
    buffer = io.BytesIO()
    arrays = {"inputs": np.ones((3, 4, 2), np.float32), "labels": np.zeros((3, 4), int), "lengths": np.array([4, 2, 1])}
    np.savez_compressed(buffer, **arrays, classes=np.array(["a", "b"]))
    return buffer.getvalue()


WORDS = token_vocabulary(["is a circle red"])


def questions_pictures():
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=np.ones((3, 4, 4, 3), np.uint8))
    return buffer.getvalue()


def keras_file():
    h5py = pytest.importorskip("h5py")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group("layers/dense/vars")
        group["0"], group["1"] = np.ones((3, 4), np.float32), np.ones(4, np.float32)
        group.attrs["name"] = "fc1"
        file.create_group("fc2").attrs["weight_names"] = [b"kernel:0"]
        file["fc2/kernel:0"] = np.ones((2, 2), np.float32)
    return buffer.getvalue()


def keras_archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model.weights.h5", keras_file())
    return buffer.getvalue()


def message(number, content):
    """A field of a protobuf message, of fewer than 128 bytes."""
    return bytes([number << 3, content]) if isinstance(content, int) else bytes([number << 3 | 2, len(content)]) + content


def caffe_file():
    blobs = [message(7, message(7, message(1, bytes([2, 3]))) + message(5, bytes(24))), message(7, message(5, bytes(4)))]
    layer = message(1, b"fc1") + message(2, b"InnerProduct") + b"".join(blobs)
    legacy = message(4, b"fc2") + message(5, 14) + message(6, message(3, 1) + message(4, 3) + message(5, bytes(12)))
    return b"\xa2\x06" + bytes([len(layer)]) + layer + message(2, legacy)


def flax_file():
    from flax.serialization import to_bytes

    return to_bytes({"params": {"dense": {"kernel": np.ones((3, 4), np.float32)}}, "batch_stats": {"norm": {"mean": np.ones(4)}}})


def onnx_file():
    onnx = pytest.importorskip("onnx")
    arrays = {"k": np.ones((4, 3, 1, 1), np.float32), "b": np.ones(4, np.float32), "w": np.ones((4, 2), np.float32)}
    nodes = [onnx.helper.make_node("Conv", ["x", "k", "b"], ["y"]), onnx.helper.make_node("MatMul", ["y", "w"], ["z"])]
    stored = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    return onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], [], stored)).SerializeToString()


INSTANCES = {
    "images": [{"id": 7, "file_name": "a.png", "height": 24, "width": 31}],
    "categories": [{"id": 3, "name": "cat", "keypoints": ["nose", "tail"]}],
    "annotations": [
        {"image_id": 7, "category_id": 3, "bbox": [2, 3, 9, 8], "area": 60, "segmentation": [[2, 3, 11, 3, 11, 11]]},
        {"image_id": 7, "category_id": 3, "bbox": [2, 3, 9, 8], "keypoints": [4, 5, 2, 0, 0, 0], "iscrowd": 1},
    ],
}
RESULTS = [{"image_id": 7, "category_id": 3, "bbox": [2, 3, 9, 7], "score": 0.9}]
POSES = {"joint_names": ["left hip", "right hip"], "images": [{"file": "a.png", "joints": [[3, 4], [9, 9, 0]]}]}
VOC = """<annotation><size><height>24</height><width>31</width></size><object><name>cat</name><difficult>0</difficult>
<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>20</xmax><ymax>19</ymax></bndbox></object></annotation>"""


PROPOSALS = {"scene 0.png": [[0, 0, 9, 9], [5, 5, 1, 9]], "scene 1": [[-3, 0, 99, 8]], "7": []}


def proposals_of(path):
    found = with_proposals(draw_scenes(2), str(path), 5, lambda sentence: None)
    assert all(np.isfinite(example.proposals).all() for example in found.splits["train"])


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def label_map():
    buffer = io.BytesIO()
    Image.fromarray(np.arange(24 * 31).reshape(24, 31).astype(np.uint8) % 3, "L").save(buffer, "PNG")
    return buffer.getvalue()


def regions_beside(path):
    (path.parent / "a.png").write_bytes(picture("PNG"))
    return all_of(read_regions(path))


def regions_of_folder(name, others):
    """Move the file that is read to its place in a folder of regions."""

    def read(path):
        folder = path.parent / "data"
        for other, content in {**others, name: path.read_bytes()}.items():
            (folder / other).parent.mkdir(parents=True, exist_ok=True)
            (folder / other).write_bytes(content)
        return all_of(read_regions(folder))

    return read


def all_of(regions):
    for examples in regions.splits.values():
        for example in examples:
            example.pixel_labels()
            assert np.isfinite(example.boxes).all()
    return regions


def instances_file(path):
    path.write_bytes(as_json(INSTANCES)())
    return str(path)


def score_results(path):
    seqnets.cli.score.main([str(path), instances_file(path.parent / "truth.json"), "--json"])


MAPS = {f"train/{name}.png": picture("PNG") for name in "ab"} | {"train_labels/b.png": label_map(), "classes.txt": b"x\ny\nz"}
PICTURES = {"JPEGImages/a.png": picture("PNG"), "Annotations/a.xml": VOC.encode()}


@cache
def ml5():
    """A character model in ml5's form: file name -> content."""
    cell = "rnnlm/multi_rnn_cell/cell_0/basic_lstm_cell"
    shapes = {"embedding": (2, 3), f"{cell}/kernel": (5, 8), f"{cell}/bias": (8,), "softmax_w": (2, 2), "softmax_b": (2,)}
    manifest = {name: {"filename": f"{number}", "shape": shape} for number, (name, shape) in enumerate(shapes.items())}
    files = {entry["filename"]: np.ones(entry["shape"], "<f4").tobytes() for entry in manifest.values()}
    return {**files, "manifest.json": as_json(manifest)(), "vocab.json": as_json({"a": 0, "b": 1})()}


def of_ml5(name):
    def read(path):
        for other, content in ml5().items():
            if other != name:
                (path.parent / other).write_bytes(content)
        return read_ml5(path.parent)

    return lambda: ml5()[name], name, read


# name -> (a whole file, its name, what reads it)
KINDS = {
    "ml5-manifest": of_ml5("manifest.json"),
    "ml5-vocabulary": of_ml5("vocab.json"),
    "ml5-array": of_ml5("1"),
    "regions-coco": (as_json(INSTANCES), "instances.json", regions_beside),
    "regions-coco-folder": (
        as_json(INSTANCES),
        "instances.json",
        regions_of_folder("instances_train.json", {"train/a.png": picture("PNG")}),
    ),
    "proposals-json": (as_json(PROPOSALS), "p.json", proposals_of),
    "proposals-results": (as_json([{**RESULTS[0], "image_id": "scene 1"}]), "p.json", proposals_of),
    "proposals-npz": (lambda: npz(**{"scene 1": np.ones((3, 4), np.float32)}), "p.npz", proposals_of),
    "proposals-cache": (lambda: npz(counts=np.array([2, 1]), boxes=np.ones((3, 4))), "c.npz", lambda path: _kept(path, 2)),
    "regions-joints": (as_json(POSES), "joints.json", regions_beside),
    "regions-voc": (VOC.encode, "a.xml", regions_of_folder("Annotations/a.xml", PICTURES)),
    "regions-voc-split": (lambda: b"a 1\n", "train.txt", regions_of_folder("ImageSets/Main/train.txt", PICTURES)),
    "regions-map": (label_map, "a.png", regions_of_folder("train_labels/a.png", MAPS)),
    "detections": (as_json(RESULTS), "r.json", score_results),
    "instances": (
        as_json(INSTANCES),
        "i.json",
        beside("r.json", as_json(RESULTS)(), lambda path: score_detections(str(path.parent / "r.json"), str(path))),
    ),
    "run-samples": (lambda: b'{"step": 1, "text": "to be"}\n' * 3, "samples.jsonl", lambda path: read_samples(path.parent)),
    "captions-gz": (lambda: gzip.compress(CSV.encode()), "c.csv.gz", read_captions),
    "captions-lines-gz": (
        lambda: gzip.compress(b"".join(json.dumps({"image": n, "caption": t}).encode() + b"\n" for n, t in CAPTIONS)),
        "c.jsonl.gz",
        read_captions,
    ),
    "captions-karpathy": (as_json(KARPATHY), "k.json", read_captions),
    "captions-split-list": (
        lambda: "".join(f"{n}\n" for n, _ in CAPTIONS[5:]).encode(),
        "train.txt",
        lambda path: read_captions(coco_file(path.parent / "c.json"), lists={"train": path}),
    ),
    "questions-vqa": (
        as_json(VQA),
        "q.json",
        beside("a.json", as_json(ANSWERS)(), lambda path: read_questions(path, path.parent / "a.json")),
    ),
    "questions-answers": (
        as_json(ANSWERS),
        "a.json",
        beside("q.json", as_json(VQA)(), lambda path: read_questions(path.parent / "q.json", path)),
    ),
    "questions-layouts": (
        as_json([{"image": 1, "question": "is a circle red", "layout": ["_Find", "_Find", "_And", "_Answer"], "answer": "no"}]),
        "q.json",
        lambda path: laid_out(Asked(read_questions(path), np.zeros(1, int), None, []), np.arange(1), WORDS, ("no",), 9),
    ),
    "questions-pictures": (
        questions_pictures,
        "p.npz",
        lambda path: of_array([Question("0", "is it red?", "no")], path, 4),
    ),
    "questions-csv": (lambda: b"image,question,answer\n1.png,what shape?,circle\n" * 3, "q.csv", read_questions),
    "texts-csv": (lambda: b'text,label\n"good, very",pos\nbad,neg\n' * 5, "t.csv", labeled_texts),
    "texts-tsv-gz": (
        lambda: gzip.compress(b"text\tlabel\ngood\tpos\nbad\tneg\n" * 5),
        "t.tsv.gz",
        labeled_texts,
    ),
    "texts-jsonl": (
        lambda: b'{"text": "good", "label": "pos"}\n{"text": "bad", "label": 0}\n' * 5,
        "t.jsonl",
        labeled_texts,
    ),
    "sequences": (lambda: b"New\tB\nYork\tI\n\nUlm\tB\n" * 5, "s.conll", lambda path: read_labeled_sequences([path])),
    "sequences-jsonl": (
        as_json({"tokens": ["New", "York"], "labels": ["B", "I"]}),
        "s.jsonl",
        lambda path: read_labeled_sequences([path]),
    ),
    "trees": (
        lambda: b"(3 (2 a) (4 (3 fine) (2 film)))\n( (NP (DT the) (JJ old) (NN dog)))\n",
        "t.txt",
        lambda path: read_trees([path]),
    ),
    "frames": (frames_file, "f.npz", read_frames),
    "inputs": (frames_file, "f.npz", lambda path: read_inputs(path, 2)),
    "vectors-gz": (
        lambda: gzip.compress(VECTORS.encode()),
        "v.gz",
        lambda path: read_vectors(path, WordVocabulary.from_captions(["a dog", "a cat"])),
    ),
    "cifar": (
        RECORDS.tobytes,
        "data_batch_1.bin",
        beside("test_batch.bin", RECORDS.tobytes(), lambda path: read_images(path.parent)),
    ),
    "cifar-names": (
        lambda: "\n".join(map(str, range(100))).encode(),
        "fine_label_names.txt",
        beside("train.bin", RECORDS[:, [0, *range(3073)]].tobytes(), lambda path: read_images(path.parent)),
    ),
    "idx-gz": (lambda: gzip.compress(IDX), "images.gz", read_idx),
    "labels": (as_json({"id2label": {"0": "a", "1": "b"}}), "l.json", read_labels),
    "labels-text": (lambda: b"cat\ndog\n", "l.txt", read_labels),
    "preprocessing": (as_json(Preprocessing().to_json()), "p.json", read_preprocessing),
    "preprocessing-timm": (as_json(TIMM), "p.json", read_preprocessing),
    "preprocessing-huggingface": (
        as_json({"image_mean": [0.5] * 3, "size": {"shortest_edge": 24}, "do_resize": True, "resample": 3}),
        "p.json",
        read_preprocessing,
    ),
    "weights-index": (as_json({"weight_map": {"kernel": "a.safetensors"}}), "w.safetensors.index.json", sharded),
    "weights-torch": (torch_file, "w.pth", read_torch),
    "weights-torch-old": (lambda: torch_file(zipped=False), "w.pth", read_torch),
    "weights-keras": (keras_file, "w.weights.h5", read_weight_file),
    "weights-keras-archive": (keras_archive, "w.keras", read_weight_file),
    "weights-caffe": (caffe_file, "w.caffemodel", read_weight_file),
    "weights-flax": (flax_file, "w.msgpack", read_weight_file),
    "weights-onnx": (onnx_file, "w.onnx", read_weight_file),
    "weights-config": (as_json({**TIMM, "id2label": {"0": "a"}}), "config.json", weights_beside),
    "weights-run-config": (
        as_json({"format": "seqnets-run", "model": {"preprocessing": Preprocessing().to_json()}}),
        "config.json",
        weights_beside,
    ),
    "run-config": of_a_run("config.json"),
    "run-settings": of_a_run("config.toml"),
    "run-vocabulary": of_a_run("vocabulary.json"),
    "run-weights": of_a_run("model.safetensors"),
    "run-metrics": of_a_run("metrics.jsonl"),
    "run-files": of_a_run("checkpoints/1/files.json"),
    "run-record": of_a_run("checkpoints/1/record/metadata"),
    "store-header": of_a_store("store.json"),
    "store-index": of_a_store("index.jsonl"),
    "store-rows": of_a_store("pool-00000.bin"),
    "cached-text": (token_file, "tokens", cached_text),
    "prompt": (lambda: b"abcab", "p.txt", prompt_of),
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
    if rng.integers(2) and (other := _of_another_type(content, rng)) is not None:
        return other
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


STRANGE = [None, True, 1.5, -1, 0, 10**12, 10**400, float("inf"), "", "../outside", "x" * 5_000, [], {}, [[]], {"a": 1}]


def _of_another_type(content, rng):
    """Exchange, leave out or add one value of JSON; None where it is none."""
    try:
        value = json.loads(content)
    except ValueError:
        return None
    places = list(_places([value]))
    home, key = places[int(rng.integers(len(places)))]
    if rng.integers(5):
        home[key] = STRANGE[int(rng.integers(len(STRANGE)))]
    elif isinstance(home, dict):
        home["strange"] = home.pop(key)
    else:
        home.insert(key, STRANGE[int(rng.integers(len(STRANGE)))])
    return json.dumps(value if home is not places[0][0] else home[0]).encode()


def _places(home):
    for key, value in list(home.items() if isinstance(home, dict) else enumerate(home)):
        yield home, key
        if isinstance(value, dict | list):
            yield from _places(value)


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


# what opens or decodes files, but none that a stranger made; the reason is the comment
NOT_READERS = (
    r"seqnets\.cli\.(streams|runtime|trained|main)",  # the process's own streams, the machine; a name for `load`
    r"seqnets\.cli\.(answer|predict|evaluate|score):",  # call readers that are in the table
    r"seqnets\.ops\.",  # our own sources
    r"seqnets\.processes:",  # what other processes of the run send
    r"seqnets\.(checkpoint:Checkpoints\.save|train\.in_memory:describe_run|data\.features\.index:Header\.to_json)",  # a copy
    r"seqnets\.train\.(folder:_locked|tracking:)|seqnets\.data\.features\.writer:(_locked|_write_end)",  # written by this process
    r"seqnets\.(files|train\.saving):",  # write
    r"seqnets\.train\.resume:check_unchanged",  # a copy of the settings
    r"seqnets\.data\.demo\.|seqnets\.tasks\.recipe:packaged|seqnets\.viz\.|seqnets\.web\.",  # come with Python and with seqnets
    r"seqnets\.cli\.(download|push):",  # recognize a run, and read one that was checked before
    r"seqnets\.downloads:",  # writes what is downloaded, whose checksum is then compared
    r"seqnets\.tasks\.\w+\.(recipe|__init__):",  # call readers that are in the table
    r"seqnets\.decode\.(captions\.stored:caption_stored|extraction:)",  # open_image and FeatureStore, which are in the table
    r"seqnets\.data\.text\.(sources:(_pipe|_held|_files_in|_looks_like_text|_is_run)|vocabulary:|corpus:)",  # bytes as they are
    r"seqnets\.models\.|seqnets\.data\.text\.pieces:|seqnets\.decode\.text\.automata:",  # other functions of such names
    r"seqnets\.cli\.(export|show|sweep):|seqnets\.tasks\.(start|text\.own_text):",  # call readers that are in the table
    r"seqnets\.data\.images\.labels:imagenet_classes|seqnets\.machine:",  # come with seqnets and with the system
    r"seqnets\.dream\.networks:",  # reads a run, which is in the table
    r"seqnets\.data\.text\.items:read_known",  # a file of the run, compared with its checksum first
    r"seqnets\.train\.trackers:|seqnets\.weights\.named:",  # entry points; configurations of repositories, read by `read_json`
)
OPENING = {"open", "fdopen", "read_text", "read_bytes", "memmap", "fromfile", "frombuffer", "loadtxt", "genfromtxt", "decompress"}
OPENING |= {"GzipFile", "BZ2File", "LZMAFile", "ZipFile", "safe_open", "deserialize", "load_file", "loads", "load", "is_zipfile"}
OPENING |= {"read_json", "read_arrays", "json_value", "read_toml", "unpacked", "rows_of", "reading"}


def openers(path):
    """Return the functions of a module that call something that opens or decodes a file."""
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)

    def within(node, name):
        for child in ast.iter_child_nodes(node):
            is_named = isinstance(child, ast.FunctionDef | ast.ClassDef)
            if isinstance(child, ast.Call) and name:
                called = getattr(child.func, "id", getattr(child.func, "attr", ""))
                yield from [f"{module}:{name}"] * (called in OPENING)
            yield from within(child, f"{name}.{child.name}".lstrip(".") if is_named else name)

    return set(within(ast.parse(path.read_text()), ""))


PACKAGE = Path(sn.__file__).parent


def test_every_function_that_opens_a_file_is_tried_by_the_table(tmp_path):
    wanted = {name for path in PACKAGE.rglob("*.py") for name in openers(path)}
    wanted = {name for name in wanted if not any(re.match(pattern, name) for pattern in NOT_READERS)}
    called = set()

    def note(frame, event, argument):
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            module = Path(frame.f_code.co_filename).relative_to(PACKAGE.parent).with_suffix("").parts
            called.add(f"{'.'.join(module)}:{frame.f_code.co_qualname.replace('.<locals>', '')}")

    for kind, (content, name, read) in KINDS.items():
        path = tmp_path / kind / name
        path.parent.mkdir()
        path.write_bytes(content())
        before = sys.getprofile()
        sys.setprofile(note)
        try:
            read(path)
        finally:
            sys.setprofile(before)
    missing = sorted(name for name in wanted - called if name.partition(":")[2])
    assert not missing, "put these readers into KINDS, with a file that they read, or into NOT_READERS with the reason"
