/** Keep the pressed button of a wide figure in view, and mark the figure as wide. */
export function showPressed(zone: HTMLElement): () => void {
  function show(): void {
    zone.toggleAttribute("data-wide", zone.scrollWidth > zone.clientWidth);
    const [pressed, view] = [zone.querySelector('[aria-pressed="true"]')?.getBoundingClientRect(), zone.getBoundingClientRect()];
    if (pressed && (pressed.left < view.left || pressed.right > view.right))
      zone.scrollLeft += (pressed.left + pressed.right - view.left - view.right) / 2;
  }
  const changed = new MutationObserver(show);
  changed.observe(zone, { subtree: true, attributeFilter: ["aria-pressed"] });
  const resized = new ResizeObserver(show);
  resized.observe(zone);
  return () => {
    changed.disconnect();
    resized.disconnect();
  };
}

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
