"""Compile the same tiny programs once, as the tests of training do."""

from train.conftest import compile_cache  # noqa: F401
