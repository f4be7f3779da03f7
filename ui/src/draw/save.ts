const MARGIN = 16;

/** Let the browser save a file that the page made. */
export function saveFile(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

export function saveText(name: string, text: string): void {
  saveFile(name, new Blob([text], { type: "text/plain;charset=utf-8" }));
}

/** Save a canvas as PNG on a background with a margin. */
export function savePicture(name: string, canvas: HTMLCanvasElement, background: string): void {
  const picture = document.createElement("canvas");
  const margin = MARGIN * devicePixelRatio;
  picture.width = canvas.width + 2 * margin;
  picture.height = canvas.height + 2 * margin;
  const g = picture.getContext("2d")!;
  g.fillStyle = background;
  g.fillRect(0, 0, picture.width, picture.height);
  g.drawImage(canvas, margin, margin);
  picture.toBlob((blob) => blob && saveFile(name, blob), "image/png");
}

/** A matrix with the names of its rows and columns, as tab-separated lines. */
export function toTsv(rows: readonly string[], cols: readonly string[], at: (row: number, col: number) => number): string {
  const clean = (name: string) => name.replace(/[\t\n]/g, " ");
  const lines = rows.map((name, row) => [clean(name), ...cols.map((_, col) => `${at(row, col)}`)]);
  return [["", ...cols.map(clean)], ...lines].map((line) => `${line.join("\t")}\n`).join("");
}
