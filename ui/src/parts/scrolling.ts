/** Keep the pressed button of a wide figure in view, and mark the figure as wide. */
export function showPressed(zone: HTMLElement): () => void {
  return watch(zone, { attributeFilter: ["aria-pressed"] }, () => {
    zone.toggleAttribute("data-wide", zone.scrollWidth > zone.clientWidth);
    scrollTo(zone, '[aria-pressed="true"]');
  });
}

/** Keep the stop where the reader is in view, in a path that is too long for its place. */
export function showCurrent(zone: HTMLElement): () => void {
  return watch(zone, { attributeFilter: ["aria-current"] }, () => scrollTo(zone, '[aria-current="step"]'));
}

/** Let the keyboard reach the formulas that are wider than their place, as they scroll. */
export function markScrolling(zone: HTMLElement): () => void {
  return watch(zone, { childList: true, characterData: true }, () => {
    for (const formula of zone.querySelectorAll("math"))
      if (formula.scrollWidth > formula.clientWidth) formula.setAttribute("tabindex", "0");
      else formula.removeAttribute("tabindex");
  });
}

/** Bring an element to the middle of its zone if it is not in view; the page itself does not scroll. */
function scrollTo(zone: HTMLElement, selector: string): void {
  const [element, view] = [zone.querySelector(selector)?.getBoundingClientRect(), zone.getBoundingClientRect()];
  if (!element) return;
  if (element.left < view.left || element.right > view.right) zone.scrollLeft += (element.left + element.right - view.left - view.right) / 2;
  if (element.top < view.top || element.bottom > view.bottom) zone.scrollTop += (element.top + element.bottom - view.top - view.bottom) / 2;
}

/** Act whenever the zone or what is in it changes. The observers of sizes also act at once. */
function watch(zone: HTMLElement, changes: MutationObserverInit, act: () => void): () => void {
  const changed = new MutationObserver(act);
  changed.observe(zone, { subtree: true, ...changes });
  const resized = new ResizeObserver(act);
  resized.observe(zone);
  return () => {
    changed.disconnect();
    resized.disconnect();
  };
}
