"""The small words of Chinese: where, when, how often, who, how many."""

from pellucid.data.garden.plan import NUMBERS

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
COUNTS: dict[str, str] = dict(zip(NUMBERS, "两三四五六七八九十", strict=True))
