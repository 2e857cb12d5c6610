// Starts the widgets that Python left in the page, with no kernel behind them. The page holds what
// each knows (its traits) and where it stands; its program is a file of the site. To the program
// this is an anywidget like any other: in a notebook the same one runs under ipywidgets.
(() => {
  const JSON_OF = (kind) => `script[type="application/vnd.jupyter.widget-${kind}+json"]`;
  const stored = document.querySelector(JSON_OF("state"));
  const models = stored ? JSON.parse(stored.textContent) : {};

  function modelOf(traits) {
    const heard = new Map(); // an event's name to those who listen
    return {
      get: (name) => traits[name],
      set(name, value) {
        traits[name] = value;
        for (const event of [`change:${name}`, "change"])
          heard.get(event)?.forEach((call) => call());
      },
      on: (event, call) => heard.set(event, [...(heard.get(event) ?? []), call]),
      off: (event, call) =>
        heard.set(
          event,
          (heard.get(event) ?? []).filter((other) => call && other !== call),
        ),
      send() {}, // nobody answers
      save_changes() {},
    };
  }

  for (const place of document.querySelectorAll(JSON_OF("view"))) {
    const found = models[JSON.parse(place.textContent).model_id];
    if (!found) continue;
    const el = document.createElement("div");
    place.after(el);
    window.sooWidgets[found.widget].render({ model: modelOf(found.state), el });
  }
})();
