"""The rules of Penn Treebank tokenization: what a token looks like, which words come apart, how characters are spelled."""

import re

_LETTER = r"(?:[^\W\d_²³¹]|[\u0300-\u036f\u0900-\u0e4e])"  # the ranges are marks that Indic scripts write within words
_WORD = rf"(?:{_LETTER}|\d)+"

_ABBREVIATIONS = """
    adj adm adv al ala apr ariz assn assoc asst atty aug ave bhd blvd bros calif capt cf cie cmdr co col colo comdr conn corp
    cos cpl ct dak dec dept det dr drs elec ens esq est etc ext feb fla fri ft ga gen gov govs hon inc ind insp intl invt jan
    jos jr jul jun kan kans ky lt ltd maj mar md messrs mfg mich minn mme mo mon mont mr mrs ms mt mtg natl neb nev nov oct
    okla penn pfc ph plc pres prof pte pty pvt rd rep reps rev rt sen sens sep sept seq sfc sgt spc sq sr st ste supt sys tel
    tenn thu thurs tue tues univ va vs vt wed wis wisc wm wyo ph\\.d"""
_ABBREVIATED_NAMES = "Ark ARK Az AZ Del DEL Ill ILL La LA Mass MASS Miss MISS Ore ORE Pa PA Tex TEX Wash WASH"
_BEFORE_NUMBERS = "art ca fig figs no nos op pp prop"

_STARTERS = (
    "A About After An As At But He Her Here If In It Last Many More Once One Other Our She Since So Some That The Their Then "
    "There These They This We What When While Yet You"
)
STARTERS = frozenset(_STARTERS.split())
"""Words that begin a sentence where they follow a single letter and a period: `plan B. The dog ...`."""

CLITIC = re.compile(rf"(?<={_LETTER})(n't|'(?:s|m|d|re|ve|ll))(?!{_LETTER})|(?<=\d)('s)(?!{_LETTER})", re.IGNORECASE)

COMPOUND = re.compile(r"(?<![\w'-])(?:(can)(not)|(gon|wan)(na)|(got)(ta)|(lem|gim)(me)|('t)(is|was))(?![\w-])", re.IGNORECASE)

_TOKENS = {
    "tag": r"</?[a-z][^<>]*>",
    "address": r"https?://[\w-]+(?:\.[\w-]+)+(?:[/?#][^\s\"'<>(),]*[\w/])?",
    "mail": r"\w[\w.+-]{,63}@[\w-]+(?:\.[\w-]+)*",
    "mention": rf"[@#]{_LETTER}\w*",
    "spelled bracket": r"-[lr][rsc]b-",
    "emoticon": r"[:;=]-?[()dp](?!\w)|\^_\^",
    "letter that ends a sentence": r"[a-z](?=\.\ STARTER)",
    "acronym": r"(?:[a-z]\.)+[a-z]?(?!\w)",
    "abbreviation": rf"(?:{'|'.join(_ABBREVIATIONS.split())})\.(?!{_LETTER})",
    "abbreviated name": rf"(?-i:{'|'.join(_ABBREVIATED_NAMES.split())})\.(?!{_LETTER})",
    "abbreviation before a number": rf"(?:{'|'.join(_BEFORE_NUMBERS.split())})\.(?=\ ?\d)",
    "word with its period": rf"{_LETTER}+\.(?=[,;:])",
    "words with &": r"(?-i:[A-Z]+(?:&[A-Z]+)+)",
    "programming language": r"c\+\+|[cf]\#",
    "dollars": r"us\$",
    "clitic": rf"(?:n't|'(?:s|m|d|re|ve|ll))(?!{_LETTER})",
    "word with an apostrophe": rf"(?:[odl]'{_LETTER}+|y'(?={_LETTER})|ol'(?!{_LETTER})|(?:e|ne)'er|ma'am|cap'n|c'mon)",
    "word without its beginning": rf"'(?:em|til|cause)(?!{_LETTER})|'n(?:'|(?!{_LETTER}))|(?<!\w)'t(?!{_LETTER})",
    "decade": r"(?<!\d)'\d\ds?(?!\w)",
    "dashes": r"-{5,}|-{2,4}",
    "number": r"[-+]?\d*(?:[.,:]\d+)+|[-+]\d+",
    "words with /": rf"(?:\d+-)?\d{{1,2}}/\d{{1,2}}(?!\d)(?:/\d{{1,2}}(?!\d))?(?:-?{_WORD})*|{_LETTER}+(?:/{_LETTER}+){{1,2}}",
    "words with a stop": rf"{_LETTER}+(?:[.!?]{_LETTER}+)+",
    "word": rf"{_WORD}(?:[-‑_]{_WORD})*",
    "run": r"\.{3,}|[?!]{2,}|_+|\*+|''|``",
    "any other": r"\S",
}
TOKEN = re.compile("|".join(_TOKENS.values()), re.IGNORECASE)

SPELLING = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}

_SILENT = "\u00ad\ufe0e\ufe0f"  # the soft hyphen, and what selects a variant of the sign before
_GAPS = "\u200b\u200c\u200d\u2060\ufeff"  # spaces without width
CHARACTERS = str.maketrans(
    {"’": "'", "‘": "`", "‛": "`", "“": '"', "”": '"', "«": '"', "»": '"', "–": "--", "—": "--", "‐": "-", "…": " ... "}
    | {"½": " 1/2 ", "¼": " 1/4 ", "¾": " 3/4 ", "⅓": " 1/3 ", "⅔": " 2/3 ", "€": "$", "¢": " cents ", "£": " # "}
    | dict.fromkeys(_SILENT)
    | dict.fromkeys(_GAPS, " ")
)
ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&nbsp;": " "}
