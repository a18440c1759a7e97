"""Penn Treebank tokens, against what the reference tokenizer makes of the same sentences."""

import math
import re
import time

import pytest

from seqnets.metrics import Scorer, caption_words, treebank_tokens

WORDS = [  # sentences of our own, run through the tokenizer of the COCO caption evaluation
    ("the dogs' bowl and the boys' toys", "the dogs bowl and the boys toys"),
    ('a man says "hello there" to me', "a man says hello there to me"),
    ("the man (in red) is [standing] {here}", "the man -lrb- in red -rrb- is -lsb- standing -rsb- -lcb- here -rcb-"),
    ("a t-shirt and a black-and-white dog -- running - fast --- now", "a t-shirt and a black-and-white dog running fast now"),
    ("wait... what? no!! really?! yes!", "wait what no !! really ?! yes"),
    ("Mr. Smith of the U.S. went at 5 p.m. to St. Louis Ave.", "mr. smith of the u.s. went at 5 p.m. to st. louis ave."),
    ("at 5:30 on Oct. 12, 1999 for $5.00 or 50% of 1,000,000", "at 5:30 on oct. 12 1999 for $ 5.00 or 50 % of 1,000,000"),
    ("a/b and/or 1/2 3-1/2 ½ he/she w/o w/ n/a", "a/b and/or 1/2 3-1/2 1/2 he/she w/o w / n/a"),
    ("#hashtag @user :) ;-) AT&T Q&A salt&pepper", "#hashtag @user :-rrb- ;--rrb- at&t q&a salt & pepper"),
    ("the 1990's and '90s and 90's", "the 1990 's and '90s and 90 's"),
    ("O'Neill d'artagnan o'clock ma'am y'all ne'er cap'n", "o'neill d'artagnan o'clock ma'am y' all ne'er cap'n"),
    ("a 7-up, a 3D T.V. on 4x4s, 10ft 5'10\"", "a 7-up a 3d t.v. on 4x4s 10ft 5 10"),
    ("rock'n'roll and rock 'n' roll", "rock 'n' roll and rock 'n' roll"),
    ("“quoted” it’s don’t – — … café naïve 日本語", "quoted it 's do n't café naïve 日本語"),
    ("the cat.The dog,the bird;the fish:the end", "the cat.the dog the bird the fish the end"),
    ("a fig. on no. 5, he says no. fig. 5", "a fig on no. 5 he says no fig. 5"),
    ("plan B. The dog. Vitamin C. is", "plan b the dog vitamin c. is"),
    ("see J. Crew and Ill. folk, ill. man", "see j. crew and ill. folk ill man"),
    ("I'd've shouldn't've who's that'll let's", "i 'd 've should n't 've who 's that 'll let 's"),
    ("CAN'T cannot gonna. gotta, lemme gimme 'tis 'twas", "ca n't can not gon na got ta lem me gim me 't is 't was"),
    ("wanna-be wannabe cannots dunno whaddya", "wanna-be wannabe cannots dunno whaddya"),
    ("an *asterisk* _under_ a=b a+b 5>3 C++ C#", "an * asterisk * _ under _ a = b a + b 5 > 3 c++ c#"),
    ("a sign -LRB- in -rrb- <unk> &amp; x<y", "a sign -lrb- in -rrb- <unk> & x < y"),
    ("http://www.example.com/a?b=c www.foo.com foo@bar.com", "http://www.example.com/a?b=c www.foo.com foo@bar.com"),
    ("smile😀face nb\u00a0sp zero\u200bwidth soft\u00adhyphen \ufeffa", "smile face nb sp zero width softhyphen a"),
    ("goin' fishin' 'quoted' 'em 'til the bird 's-eye-view", "goin fishin quoted 'em 'til the bird 's eye-view"),
    (
        "Hawai'i and Moloka'i, a Xi'an wall, Ho'okipa's surf and Ka'anapali",
        "hawai'i and moloka'i a xi'an wall ho'okipa 's surf and ka'anapali",
    ),
    ("n'est ce pas, j'aime l'eau, qu'il c'est d'une L'Oréal d'Or", "n'est ce pas j' aime l'eau qu'il c'est d'une l'oréal d'or"),
    ("they ta'en it o'er-rule and e'en so", "they ta'en it o'er-rule and e en so"),
    ("T'Pau and B'nai play G'day M'lady N'Sync", "t'pau and b'nai play g'day m'lady n'sync"),
    ("the Qur'an, a g'day, m'lady, t'ai chi'i", "the qur an a g day m lady t ai chi'i"),
    ("don'ts and do's, DON'TS, shouldn't've, it'sx", "do n'ts and do 's do n'ts should n't 've it sx"),
    (
        "the ol' man's s'mores, li'l nor'easter, ev'ry somethin' else",
        "the ol' man 's s'mores li'l nor'easter ev'ry somethin' else",
    ),
    ("Y'all y'know, 'til 'till 'cause 'em 'n 'n, 'tis", "y' all y' know 'til 'till 'cause 'em 'n n 't is"),
    (
        "a 22 3/4 inch and 5 1/2-inch board, 3 1/2. (1 1/2)",
        "a 22\xa03/4 inch and 5\xa01/2 inch board 3\xa01/2 -lrb- 1\xa01/2 -rrb-",
    ),
    ("a 22  3/4, 1,922 3/4, x22 3/4, 12345 1/2", "a 22 3/4 1,922 3/4 x22 3/4 12345 1/2"),
    ("it’s O’Brien’s and don’t, rock ’n’ roll of the ’90s", "it 's o’brien 's and do n't rock ’n’ roll of the ’90s"),
    ("MARIA'S and SHE'LL and WE'RE, DON'T", "maria 's and she 'll and we 're do n't"),
    ("Pu'u O'o, O'Hara's jack-o'lantern d'arc-en-ciel", "pu'u o'o o'hara 's jack-o'lantern d'arc-en-ciel"),
    ("5'10 and 5'10\" and the '20's and '05", "5 '10 and 5 10 and the 20 's and '05"),
    ("hallowe'en Tae'Kwon tae'kwon Qu'ran", "hallowe'en tae'kwon tae kwon qu ran"),
    ("¿qué? £5 €5 5¢ 5°C ™", "¿ qué # 5 $ 5 5 cents 5 ° c ™"),
]


@pytest.mark.parametrize(("sentence", "words"), WORDS)
def test_words_of_the_reference_tokenizer(sentence, words):
    assert " ".join(caption_words(sentence)) == words


def test_every_sentence_of_the_reference_figures(fakecap):
    results, references, expected = fakecap
    pairs = [(results[image], tokens[0]) for image, tokens in expected["res_tokenized"].items()]
    pairs += [pair for image, tokens in expected["gts_tokenized"].items() for pair in zip(references[image], tokens)]
    assert len(pairs) == 757
    assert [" ".join(caption_words(sentence)) for sentence, _ in pairs] == [tokens for _, tokens in pairs]


def test_sentences_in_treebank_form_stay_as_they_are(shared_data):
    """Flickr8k's captions were tokenized by its authors: the words are those at the spaces."""
    lines = (shared_data / "captions" / "flickr8k_text" / "Flickr8k.token.txt").read_text(encoding="utf-8").splitlines()
    plain = [line.split("\t")[1] for line in lines if re.fullmatch(r"[^\t]*\t[A-Za-z ,.;]*", line)][::20]
    assert len(plain) > 1800
    for sentence in plain:
        if "cannot" not in sentence:
            assert caption_words(sentence) == [word for word in sentence.lower().split() if word not in {",", ".", ";"}]


def test_punctuation_and_quotes_are_tokens_too():
    sentence = "\"Stop!\" says the sign -- 'now', it's... (late)"
    tokens = "`` stop ! '' says the sign -- ` now ' , it 's ... -lrb- late -rrb-"
    assert treebank_tokens(sentence) == tokens.split()


def test_a_mixed_number_is_one_token_and_two_words():
    assert treebank_tokens("5 1/2 inches") == ["5\xa01/2", "inches"]
    apart, whole = Scorer({1: ["5 1/2 inches"], 2: ["a dog"]}), {1: "5 inches", 2: "a dog"}
    assert apart(whole).of(1)["BLEU-1"] == pytest.approx(math.exp(1 - 3 / 2))


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u200b", "😀", "\ud800"])
def test_text_without_a_character_has_no_token(text):
    assert treebank_tokens(text) == []


@pytest.mark.parametrize("piece", ["a", "a-", "a--", "a+", "a.", "a/", "'", "a'", "<a", "A&", "1,", "@a", ":(", "&amp;"])
def test_hostile_text_takes_linear_time(piece):
    begin = time.process_time()
    assert treebank_tokens(piece * 10_000)
    assert time.process_time() - begin < 2  # where quadratic, it takes ten times as long
