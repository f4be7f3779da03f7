export type Theme = "light" | "dark";

class CurrentTheme {
  current = $state<Theme>(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

  toggle(): void {
    this.current = this.current === "dark" ? "light" : "dark";
  }
}

export const theme = new CurrentTheme();
