// Ink on white paper, whichever theme the reader has on screen; and nothing folded away that
// answers a question, since paper cannot be unfolded.
(() => {
  const root = document.documentElement;
  let onScreen, opened;
  window.addEventListener("beforeprint", () => {
    onScreen = root.dataset.theme;
    root.dataset.theme = "light";
    const folded = "details.sd-dropdown:not([open]), .tag_hide-cell details:not([open])";
    opened = [...document.querySelectorAll(folded)];
    opened.forEach((part) => (part.open = true));
  });
  window.addEventListener("afterprint", () => {
    root.dataset.theme = onScreen;
    opened.forEach((part) => (part.open = false));
  });
})();
