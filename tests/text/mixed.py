"""Lines in many scripts, with all that makes a line hard: signs, spaces, marks, controls, emoji."""

import random
from collections.abc import Iterator

WORDS = {
    "latin": "the animal didn't cross street WORLD U.S.A. e-mail naïve don't we're 'tis o'clock",
    "accents": "überquerte Straße müde Çelik œuvre ĳs İstanbul ŵ ǅ ﬁsh ﬄ Ωmega"
    " éte\u0301 n\u0303o",
    "cjk": "这只动物 没有过马路 因为它太累了 私は 東京タワーへ コーヒー ｶﾀｶﾅ Ｆｕｌｌ"
    " 한국어 각 𠀀𠮷",
    "cyrillic": "животное не перешло улицу потому что оно устало Ёжик Їжак",
    "arabic": "الحيوان لم يعبر الشارع لأنه كان مُتعبًا ﷺ ﻻ ١٢٣ שלום नमस्ते ไทย தமிழ்",
    "emoji": "😀 👩\u200d👩\u200d👧 🇩🇪 ❤\ufe0f 👍🏽 ☃ ♥ ™ ½ ² Ⅳ ㎏",
    "digits": "0 7 42 1999 3.14 1,000,000 10€ $5 50% 2³ ９９ ٣ 1st 0x1F",
    "signs": ". , ; : ! ? … — – - ( ) [x] {y} \" ' `` '' “q” „d” «f»"
    " 。 ， 、 ！ ？ / \\ # ## @ @@ & * ~ _ ^ |",
    "spelled": "<s> </s> <pad> <unk> <mask> [CLS] [SEP] [MASK] <extra_id_0> en_XX"
    " </w> ▁ a▁b ##s Ġ Ċ",
    "control": "\x00 \x01a \x7f \x85 \u200b \u200e \u202eabc\u202c \x1c"
    " \ufeff \ufffd \ue000 \U000f0000 \U0010ffff",
}  # fmt: skip
SPACES = [" "] * 30 + [
    "",
    "",
    "",
    "  ",
    "   ",
    "\t",
    "\u00a0",
    "\u3000",
    "\u2003",
    "\u2028",
    "\r",
    "\n",
]
EDGES = [""] * 12 + [" ", "  ", "\t", "\u3000", "\r", "\u00a0"]


def mixed_lines(count: int, seed: int = 0) -> list[str]:
    """The empty line, a few of spaces only, and lines of one to twelve words of any scripts."""
    return ["", " ", "   ", "\t", "\u3000", "\r", *_drawn(random.Random(seed), count - 6)]


def _drawn(rng: random.Random, count: int) -> Iterator[str]:
    words = {script: text.split(" ") for script, text in WORDS.items()}
    for _ in range(count):
        scripts = rng.sample(sorted(words), rng.randint(1, 4))
        line = rng.choice(EDGES)
        for _ in range(rng.randint(1, 12)):
            word = rng.choice(words[rng.choice(scripts)])
            if rng.random() < 0.1:  # letters in an order that no vocabulary has seen
                word = "".join(rng.sample(word, len(word)))
            line += word + rng.choice(SPACES)
        yield line.rstrip(" ") + rng.choice(EDGES)
