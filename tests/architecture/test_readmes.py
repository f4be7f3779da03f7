"""The two READMEs promise the same.  Authority: README.md, and the files that links name."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md"))


def blocks(text):
    return re.findall(r"^```\w*\n(.*?)^```", text, re.S | re.M)


def test_commands_of_the_chinese_readme_are_those_of_the_english_one():
    known = {line for block in blocks(ENGLISH) for line in block.split("\n")}
    own = {line for block in blocks(CHINESE) for line in block.split("\n")} - known
    assert all(line.startswith("pellucid explore zh-en ") for line in own), own


def test_numbers_of_the_chinese_readme_are_those_of_the_english_one():
    prose = re.sub(r"```.*?```", "", CHINESE, flags=re.S)
    numbers = re.findall(r"\d+(?:\.\d+)?", prose)
    assert len(numbers) > 10
    assert not [number for number in numbers if number not in ENGLISH]


def test_links_name_files():
    links = re.findall(r"\]\(([^)#]+)", CHINESE)
    assert not [link for link in links if not (ROOT / link).exists()]
