/** Figures that a stop draws first, one in each frame, so that no frame is long. */
const waiting: (() => void)[] = [];

/** Draw in the next frame that no other figure is drawn in. Returns what takes the turn back. */
export function takeTurn(draw: () => void): () => void {
  waiting.push(draw);
  if (waiting.length === 1) requestAnimationFrame(drawNext);
  return () => {
    const place = waiting.indexOf(draw);
    if (place >= 0) waiting.splice(place, 1);
  };
}

function drawNext(): void {
  waiting.shift()?.();
  if (waiting.length) requestAnimationFrame(drawNext);
}
