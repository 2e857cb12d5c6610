// Tells the widgets' loader where its scripts lie, so that a page asks nothing of another site.
(() => {
  const vendor = new URL("vendor/", document.currentScript.src).href;

  // Where html-manager looks for its fonts; without this it asks the page's own folder.
  window.__jupyter_widgets_assets_path__ = vendor;
  window.requirejs.config({
    paths: {
      anywidget: vendor + "anywidget",
      // embed-amd.js defines these by name; they find their fonts beside their address.
      "@jupyter-widgets": vendor.slice(0, -1),
      "@jupyter-widgets/html-manager/dist/libembed-amd": vendor + "embed-amd",
    },
  });

  // ipywidgets 8 still calls MathJax 2's queue to typeset a label; MathJax 3 has none.
  const typeset = ([, , element]) => {
    element.classList.add("tex2jax_process"); // the page is set to ignore dollars anywhere else
    window.MathJax.startup?.promise.then(() => window.MathJax.typesetPromise([element]));
  };
  window.addEventListener("DOMContentLoaded", () => {
    window.MathJax = window.MathJax || {};
    window.MathJax.Hub = window.MathJax.Hub || { Queue: typeset };
  });
})();
