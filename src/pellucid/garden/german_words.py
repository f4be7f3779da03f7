"""The small words of German: prepositions, conjunctions, when, how often, who."""

PREPOSITIONS = {
    "in": "in",
    "on": "auf",
    "under": "unter",
    "behind": "hinter",
    "in_front_of": "vor",
    "beside": "neben",
    "above": "über",
    "at": "an",
    "shore": "an",
    "land": "auf",
}
CONJUNCTIONS = {
    "because": "weil",
    "although": "obwohl",
    "while": "während",
    "when": "als",
    "that": "dass",
    "and": "und",
    "but": "aber",
}
TIMES = {
    "yesterday": "gestern",
    "last week": "letzte Woche",
    "last night": "letzte Nacht",
    "this morning": "heute Morgen",
    "tomorrow": "morgen",
    "next week": "nächste Woche",
    "now": "jetzt",
}
OFTEN = {"often": "oft", "always": "immer", "sometimes": "manchmal", "rarely": "selten"}
DEGREES = {"very": "sehr", "too": "zu", "so": "so"}
PERSONS = {"I": "ich", "he": "er", "she": "sie", "we": "wir", "they": "sie"}
QUESTION_WORDS = {"who": "wer", "what": "was", "where": "wo"}
