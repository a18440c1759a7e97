"""The rules of Penn Treebank tokenization: the forms of tokens, the words that are split, and the spelling of characters."""

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

_APOSTROPHE = "['’]"
BOUND = "\ue000"
"""Stands for the space within a mixed number such as 22 3/4, which is one token."""
_AFTER_WORDS = rf"{_APOSTROPHE}(?:s|m|d|re|ve|ll)(?!{_LETTER})"
AFTER_WORDS = re.compile(rf"n{_APOSTROPHE}t|{_AFTER_WORDS}", re.IGNORECASE)
"""Clitics: separated from the word before, and spelled with a straight apostrophe."""

CLITIC = re.compile(
    rf"(?<=[a-mo-z])(n{_APOSTROPHE}t{_LETTER}*)|(?<={_LETTER})({_AFTER_WORDS})|(?<=\d)({_APOSTROPHE}s)(?!{_LETTER})",
    re.IGNORECASE,
)

COMPOUND = re.compile(r"(?<![\w'-])(?:(can)(not)|(gon|wan)(na)|(got)(ta)|(lem|gim)(me)|('t)(is|was))(?![\w-])", re.IGNORECASE)

_NO_CLITIC = "(?!s|m|d|re|ve|ll)"
_ELIDED = rf"[dol]{_APOSTROPHE}{_LETTER}"
_WITH_APOSTROPHE = (
    rf"{_ELIDED}{_WORD}(?:-(?:{_ELIDED})?{_WORD})*",  # O'Neill, d'oeuvre, o'er-rule
    rf"(?-i:{_LETTER}+[aeiouyAEIOUY]{_APOSTROPHE}[aeiouA-Z]{_LETTER}*)",  # Hawai'i, qu'il
    rf"(?-i:[A-HJ-XZn]{_APOSTROPHE}{_LETTER}{{2,}})",  # T'Pau, n'est
    rf"[dlj]{_APOSTROPHE}{_NO_CLITIC}|ol{_APOSTROPHE}(?!{_LETTER})|(?:dunkin|somethin){_APOSTROPHE}",  # j'aime
    rf"y{_APOSTROPHE}{_NO_CLITIC}(?={_LETTER})",  # y'all
    rf"(?:e|ne){_APOSTROPHE}er|o{_APOSTROPHE}o(?!{_LETTER})|(?:ma{_APOSTROPHE}am|cap{_APOSTROPHE}n|c{_APOSTROPHE}mon|c{_APOSTROPHE}est|nor{_APOSTROPHE}easter)",
    rf"(?:s{_APOSTROPHE}mores|ev{_APOSTROPHE}ry|li{_APOSTROPHE}l|nat{_APOSTROPHE}l)(?!{_LETTER})",
)

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
    "clitic": rf"n{_APOSTROPHE}t(?!{_LETTER})|{_AFTER_WORDS}",
    "word with an apostrophe": "|".join(_WITH_APOSTROPHE),
    "word without its beginning": rf"{_APOSTROPHE}(?:em|till?|cause)(?!{_LETTER})|'n(?:'|(?=\ ))|’n’?|'t(?=\ (?:is|was))",
    "decade": rf"(?<!\d){_APOSTROPHE}\d\ds?(?!\w|\ ?{_APOSTROPHE}s)|(?<=\d){_APOSTROPHE}\d\d(?![\w\"])",
    "mixed number": rf"\d{{1,4}}{BOUND}\d{{1,4}}/\d{{1,4}}",
    "dashes": r"-{5,}|-{2,4}",
    "number": r"[-+]?\d*(?:[.,:]\d+)+|[-+]\d+",
    "words with /": rf"(?:\d+-)?\d{{1,2}}/\d{{1,2}}(?!\d)(?:/\d{{1,2}}(?!\d))?(?:-?{_WORD})*|{_LETTER}+(?:/{_LETTER}+){{1,2}}",
    "words with a stop": rf"{_LETTER}+(?:[.!?]{_LETTER}+)+",
    "word": rf"{_WORD}(?:[-‑_](?:{_ELIDED})?{_WORD})*",
    "run": r"\.{3,}|[?!]{2,}|_+|\*+|''|``",
    "any other": r"\S",
}
TOKEN = re.compile("|".join(_TOKENS.values()), re.IGNORECASE)

SPELLING = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}

_SILENT = "\u00ad\ufe0e\ufe0f"  # the soft hyphen, and variation selectors
_GAPS = "\u200b\u200c\u200d\u2060\ufeff"  # spaces without width
CHARACTERS = str.maketrans(
    {"‘": "`", "‛": "`", "“": '"', "”": '"', "«": '"', "»": '"', "–": "--", "—": "--", "‐": "-", "…": " ... "}
    | {"½": " 1/2 ", "¼": " 1/4 ", "¾": " 3/4 ", "⅓": " 1/3 ", "⅔": " 2/3 ", "€": "$", "¢": " cents ", "£": " # "}
    | dict.fromkeys(_SILENT)
    | dict.fromkeys(_GAPS, " ")
)
ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&nbsp;": " "}
