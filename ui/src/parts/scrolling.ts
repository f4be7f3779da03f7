/** Let the keyboard reach the formulas that are wider than their place, as they scroll. */
export function markScrolling(zone: HTMLElement): () => void {
  function mark(): void {
    for (const formula of zone.querySelectorAll("math"))
      if (formula.scrollWidth > formula.clientWidth) formula.setAttribute("tabindex", "0");
      else formula.removeAttribute("tabindex");
  }
  const changed = new MutationObserver(mark);
  changed.observe(zone, { subtree: true, childList: true, characterData: true });
  const resized = new ResizeObserver(mark);
  resized.observe(zone);
  mark();
  return () => {
    changed.disconnect();
    resized.disconnect();
  };
}
