"""The small words of Chinese: where, when, how often, who, how many."""

from pellucid.garden.outline import NUMBERS, Phrase

# What follows the noun of a place: 在 桌子 下面.
LOCATIONS = {
    "in": "里",
    "on": "上",
    "under": "下面",
    "behind": "后面",
    "in_front_of": "前面",
    "beside": "旁边",
    "above": "上方",
    "at": "",
    "shore": "边",
    "land": "里",
}
TIMES = {
    "yesterday": "昨天",
    "last week": "上周",
    "last night": "昨晚",
    "this morning": "今天早上",
    "tomorrow": "明天",
    "next week": "下周",
    "now": "现在",
}
OFTEN = {"often": "经常", "always": "总是", "sometimes": "有时", "rarely": "很少"}
MODALS = {"can": "能", "must": "必须", "want": "想"}
DEGREES = {"": "很", "very": "非常", "so": "非常", "too": "太"}
PERSONS = {"I": "我", "he": "他", "she": "她", "we": "我们", "they": "他们"}
_COUNTS: dict[str, str] = dict(zip(NUMBERS, "两三四五六七八九十", strict=True))
# Without 那 these would be all animals, all men, all women.
_GENERIC = ("动物", "男人", "女人")
_DETERMINERS = {"my": ["我的"], "some": ["一些"], "many": ["很多"], "bare": []}


def determiner(phrase: Phrase, after: bool) -> list[str]:
    """Return the words before a noun; "the" is 那 after a verb, if plural, or with a modifier."""
    measure = "些" if phrase.plural else phrase.noun.measure
    match phrase.determiner:
        case "the":
            is_overt = after or phrase.plural or phrase.adjective or phrase.relative
            is_overt = is_overt or phrase.noun.zh in _GENERIC
            return ["那", measure] if is_overt else []
        case "this":
            return ["这", measure]
        case "a":
            return ["一", measure]
        case "my" | "some" | "many" | "bare":
            return _DETERMINERS[phrase.determiner]
    return [_COUNTS[phrase.determiner], phrase.noun.measure]
