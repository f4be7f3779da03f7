"""Texts to learn from, and texts that are hard to cut."""

TEXTS = [
    "The animal didn't cross the street because it was too tired.",
    "Das Tier überquerte die Straße nicht, weil es zu müde war (1234).",
    "这只动物没有过马路，因为它太累了。",
    "私は東京タワーへ行きました。コーヒーを飲む。",
    "</s> <s> <pad> <unk> </w> a</s>b ## ▁ _ ##s",
    'He said: "No; never!" <b>50 %</b> e\u0301té ＜s＞',
] * 4
ODD = [
    "", " ", "\n", "a\tb\r\n c", "  a  ", "e\u0301", "\u1100\u1161", "\ufeffx", "\x00\x01\x7f",
    "\u200d👩\u200d👩\u200d👧", "\u202eabc\u202c", "\ud800", "a\udfffb\ud800",
    "<pad>", "</s>", "x</s>y", "< /s>",
    "＜/s＞", "</w>", "a</w>b", "##a", "▁", "▁▁a ▁", "<unk>", "ǅ İ ß ﬁ", "한국어",
    "ไทย", "\U0010ffff",
    "\u2028\u2029\x85\x0b\x0c\x1c", "\u3000a\u00a0b\u2003", "a" * 300, "\u0301" * 300,
    "\U000f0000\U000f0001", "<<s>", "<s><s>", "</</s>s>",
]  # fmt: skip
