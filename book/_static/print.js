// Ink on white paper, whichever theme the reader has on screen.
(() => {
  const root = document.documentElement;
  let onScreen;
  window.addEventListener("beforeprint", () => {
    onScreen = root.dataset.theme;
    root.dataset.theme = "light";
  });
  window.addEventListener("afterprint", () => {
    root.dataset.theme = onScreen;
  });
})();
