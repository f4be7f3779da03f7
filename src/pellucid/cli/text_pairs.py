"""Lines of input that hold a text, or two with a tab between them."""

from pellucid.errors import UsageError


def split_line(line: str) -> str | tuple[str, str]:
    """Return the text of a line, or the pair of texts that a tab separates.

    A line that ends with its only tab is one text.
    Raises: UsageError at more than one tab, or if the first text is empty.
    """
    parts = [part.strip() for part in line.split("\t")]
    if len(parts) == 1 or parts[1:] == [""]:
        return parts[0]
    if len(parts) > 2:
        raise UsageError(
            f"{len(parts) - 1} tabs: a line is one text, or two with one tab between them. Replace"
            " the tabs inside the texts by spaces."
        )
    if not parts[0]:
        raise UsageError("the text before the tab is empty. Fill it in, or remove the tab.")
    return parts[0], parts[1]


def split_pair(line: str) -> tuple[str, str]:
    """Return the two texts of a line. Raises: UsageError if there are not two."""
    texts = split_line(line)
    if isinstance(texts, str):
        raise UsageError("one text: a line is two texts with a tab between them. Add the other.")
    return texts
