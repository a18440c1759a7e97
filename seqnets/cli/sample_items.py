"""`seqnets sample RUN --items N`: whole items, such as names, one after the other."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seqnets.errors import UserError


def check_items(found: argparse.Namespace) -> None:
    """Refuse options that do not fit --items.

    Raises:
        UserError: one of them was given, or --new without --items.
    """
    from seqnets.decode.text.config import MANY

    if found.items is None:
        if found.new:
            raise UserError("--new leaves out items of the training text; give --items N as well")
        return
    MANY.check("--items", found.items)
    others = {"--samples": found.samples != 1, "--beam": found.beam, "--stop": found.stop, "--interactive": found.interactive}
    for option, given in others.items():
        if given:
            raise UserError(f"--items draws whole items, so {option} has no effect; leave one out")


def write_items(run: Any, prompt: str, config: Any, found: argparse.Namespace, given: Mapping[str, Any], seed: int) -> None:
    """Write the items, each as soon as its round is drawn.

    Raises:
        UserError: the run has no items, or not one could be drawn.
    """
    import jax

    from seqnets.decode.text.items import Draws, draw_items

    data, separator = run.config["data"], run.vocabulary.encode(run.config["data"].get("separator", ""))
    if not len(separator):
        raise UserError(f"'{run.directory}' does not know where items end; train it with `seqnets train FILE --items lines`")
    known = _known(run) if found.new else None
    length = given.get("length", 2 * data.get("longest_item", config.length // 2))
    draws, texts = Draws(), []
    for item in draw_items(
        run.model, found.items, prompt, separator=tuple(separator.tolist()), known=known, key=jax.random.key(seed),
        config=replace(config, length=length), draws=draws,
    ):  # fmt: skip
        texts.append({"prompt": prompt, "text": item[len(prompt) :]})
        if not found.json:
            _write(item[len(prompt) :] if found.no_prompt else item, data["separator"])
    if found.json:
        print(json.dumps(texts))
    if draws.found < found.items:
        _report(draws, found.items)


def _known(run: Any) -> Any:
    from seqnets.data.text.items import read_known
    from seqnets.run import ITEMS, check_file

    if "items" not in run.config["data"]:
        raise UserError(
            f"'{run.directory}' does not know the items of its text, so --new cannot leave them out; train it with "
            "`seqnets train FILE --items lines`, or leave --new out"
        )
    check_file(run.directory / ITEMS)
    return read_known(run.directory / ITEMS)


def _write(item: str, separator: str) -> None:
    sys.stdout.write(item + separator)
    sys.stdout.flush()


def _report(draws: Any, wanted: int) -> None:
    advice = "raise --temperature or --length, or ask for fewer" if draws.unfinished else "raise --temperature, or ask for fewer"
    if not draws.found:
        raise UserError(f"no item could be drawn: {draws}; {advice.removesuffix(', or ask for fewer')}")
    print(f"seqnets: only {draws.found:,} of {wanted:,} items could be drawn: {draws}; {advice}", file=sys.stderr)
