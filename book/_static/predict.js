// Predict before you see. A block takes a guess: a choice, a number on a logarithmic slider, or a
// curve drawn by hand. What follows stays veiled until the reader answers or chooses to look; then
// guess and truth stand together. Answers stay in the reader's own browser. Without this file the
// block asks, and the page goes on: see book/_ext/predict.py.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const COLUMNS = 48;

  function h(tag, props = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }
  function s(tag, attributes, text = "") {
    const node = document.createElementNS(SVG, tag);
    for (const name in attributes) node.setAttribute(name, attributes[name]);
    node.textContent = text;
    return node;
  }

  const raised = (k) => String(k).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻");
  function show(v) {
    // two digits: a guess has no more
    const [digits, power] = v.toExponential(1).split("e").map(Number);
    if (power >= -2 && power < 6) return Number(v.toPrecision(2)).toLocaleString("en-GB");
    return `${digits === 1 ? "" : `${digits}·`}10${raised(power)}`;
  }
  // Of "1,234 iterations" or "2.5·10⁻³" the number; NaN where there is none.
  function numberIn(text) {
    const [, digits, power] =
      text
        .replace("−", "-")
        .match(/(-?[\d,]*\.?\d+(?:e[-+]?\d+)?)(?:\s*[·×]\s*10([⁰¹²³⁴-⁹⁻]+))?/) ?? [];
    const exponent = (power ?? "⁰")
      .replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(c))
      .replace("-1", "-");
    return digits === undefined ? NaN : Number(digits.replaceAll(",", "")) * 10 ** Number(exponent);
  }

  let store;
  try {
    store = window.localStorage; // refused where the reader blocks it
    store.getItem("");
  } catch {
    store = { getItem: () => null, setItem() {}, removeItem() {} };
  }

  // ---- the three kinds: each puts its controls into a place, calls done(guess) when the reader
  // has
  // one, and returns what shows a guess (or takes it back) and says it in words

  function choice(block, place, done) {
    const list = [...block.querySelectorAll(":scope > ul")].at(-1);
    const buttons = [...list.children].map((item, i) => {
      const button = h("button", {
        type: "button",
        "aria-pressed": "false",
        onclick: () => done(i),
      });
      const inside = item.querySelector(":scope > p") ?? item;
      button.append(...inside.childNodes);
      item.replaceChildren(button);
      return button;
    });
    list.classList.add("predict-choices");
    return {
      mark: (guess) =>
        buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === guess))),
      say: (guess) => [...buttons[guess].childNodes].map((node) => node.cloneNode(true)),
    };
  }

  function number(block, place, done, { low, high, unit }) {
    const a = Math.log10(low);
    const b = Math.log10(high);
    const at = (v) => (Math.log10(v) - a) / (b - a);
    const value = () => 10 ** (a + (b - a) * (range.value / 1000));
    const words = (v) => `${show(v)} ${unit}`.trim();
    const out = h("output", {});
    const truth = h("span", { class: "predict-truth", "aria-hidden": "true" });
    const tell = () => {
      out.textContent = words(value());
      range.setAttribute("aria-valuetext", out.textContent);
    };
    const range = h("input", {
      type: "range",
      min: 0,
      max: 1000,
      step: 1,
      value: 500,
      "aria-label": "your guess",
      oninput: tell,
    });
    const ticks = h("div", { class: "predict-ticks", "aria-hidden": "true" });
    const stride = Math.max(1, Math.ceil((b - a) / 6));
    for (let k = Math.ceil(a - 1e-9); k <= b + 1e-9; k += stride)
      ticks.append(h("span", { style: `--at: ${at(10 ** k)}` }, show(10 ** k)));
    const button = h(
      "button",
      { type: "button", onclick: () => done(Number(value().toPrecision(2))) },
      "That is my guess",
    );
    place.append(h("div", { class: "predict-slider" }, range, truth, ticks), out, button);
    tell();
    return {
      mark(guess, found) {
        button.hidden = out.hidden = range.disabled = guess !== null;
        if (guess !== null) range.value = 1000 * at(guess);
        const place = at(numberIn(found));
        truth.hidden = guess === null || !(place >= 0 && place <= 1);
        truth.style.setProperty("--at", place);
        tell();
      },
      say: words,
    };
  }

  function curve(block, place, done, { x, y }) {
    const W = 420;
    const H = 230;
    const box = { left: 56, right: W - 10, top: 8, bottom: H - 40 };
    const logs = y.ends[0] > 0 && y.ends[1] / y.ends[0] > 100;
    const bend = logs ? Math.log10 : (v) => v;
    const [low, high] = y.ends.map(bend);
    const X = (v) =>
      box.left + ((v - x.ends[0]) / (x.ends[1] - x.ends[0])) * (box.right - box.left);
    const Y = (v) =>
      box.bottom -
      ((Math.min(Math.max(bend(v), low), high) - low) / (high - low)) * (box.bottom - box.top);
    const column = (i) => x.ends[0] + ((x.ends[1] - x.ends[0]) * i) / (COLUMNS - 1);
    let drawn = Array(COLUMNS).fill(null);
    let here = 0;
    let last = null;
    let fixed = false; // shares of the height
    const mine = s("path", { class: "mine" });
    const found = s("path", { class: "found" });
    const cursor = s("line", { class: "cursor" });
    const svg = s("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" });
    const value = (share) => {
      const v = low + share * (high - low);
      return logs ? 10 ** v : v;
    };
    for (const i of [0, 0.25, 0.5, 0.75, 1]) {
      const [v, w] = [value(i), x.ends[0] + i * (x.ends[1] - x.ends[0])];
      const u = box.left + i * (box.right - box.left);
      svg.append(
        s("line", { class: "grid", x1: box.left, x2: box.right, y1: Y(v), y2: Y(v) }),
        s("text", { x: box.left - 6, y: Y(v) + 4, "text-anchor": "end" }, v ? show(v) : "0"),
        s("text", { x: u, y: box.bottom + 16, "text-anchor": "middle" }, Number(w.toPrecision(3))),
      );
    }
    svg.append(
      s("text", { x: (box.left + box.right) / 2, y: H - 6, "text-anchor": "middle" }, x.name),
      s(
        "text",
        {
          x: -(box.top + box.bottom) / 2,
          y: 12,
          transform: "rotate(-90)",
          "text-anchor": "middle",
        },
        y.name,
      ),
      s("path", { class: "axis", d: `M${box.left} ${box.top}V${box.bottom}H${box.right}` }),
      found,
      mine,
      cursor,
    );
    const button = h(
      "button",
      { type: "button", onclick: () => done(drawn.map((v) => v ?? 0)) },
      "That is my guess",
    );
    const again = h(
      "button",
      {
        type: "button",
        onclick: () => {
          drawn.fill(null);
          draw();
        },
      },
      "Wipe",
    );
    const pad = h(
      "div",
      {
        class: "predict-pad",
        tabindex: 0,
        role: "slider",
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-label": `Draw ${y.name} against ${x.name}: left and right to move, up and down to draw`,
        onpointerdown: (e) => {
          last = null;
          pad.setPointerCapture(e.pointerId);
          stroke(e);
        },
        onpointermove: (e) => e.buttons && stroke(e),
        onkeydown: key,
      },
      svg,
    );
    place.append(pad, h("div", { class: "predict-row" }, button, again));

    const line = (points) =>
      points.map(([u, v], i) => `${i ? "L" : "M"}${u.toFixed(1)} ${v.toFixed(1)}`).join("");
    function draw() {
      const points = drawn.flatMap((v, i) =>
        v === null ? [] : [[X(column(i)), box.bottom - v * (box.bottom - box.top)]],
      );
      mine.setAttribute("d", line(points));
      const u = X(column(here));
      for (const [name, v] of Object.entries({ x1: u, x2: u, y1: box.top, y2: box.bottom }))
        cursor.setAttribute(name, v);
      button.disabled = points.length < COLUMNS;
      const share = drawn[here] ?? 0;
      pad.setAttribute("aria-valuenow", Math.round(100 * share));
      pad.setAttribute(
        "aria-valuetext",
        `${x.name} ${show(column(here) || 0)}: ${drawn[here] === null ? "not drawn" : show(value(share))}`,
      );
    }
    function stroke(e) {
      if (fixed) return;
      const size = svg.getBoundingClientRect();
      const k = W / size.width;
      const i = Math.round(
        (((e.clientX - size.left) * k - box.left) / (box.right - box.left)) * (COLUMNS - 1),
      );
      const share = (box.bottom - (e.clientY - size.top) * k) / (box.bottom - box.top);
      here = Math.min(Math.max(i, 0), COLUMNS - 1);
      const to = Math.min(Math.max(share, 0), 1);
      const from = last ?? { i: here, share: to };
      for (let j = Math.min(from.i, here); j <= Math.max(from.i, here); j++)
        // a quick hand leaves none out
        drawn[j] =
          here === from.i ? to : from.share + ((to - from.share) * (j - from.i)) / (here - from.i);
      last = { i: here, share: to };
      draw();
    }
    function key(e) {
      const move = {
        ArrowLeft: [-1, 0],
        ArrowRight: [1, 0],
        ArrowUp: [0, 0.02],
        ArrowDown: [0, -0.02],
      }[e.key];
      if (!move || fixed) return;
      e.preventDefault();
      const before = drawn[here] ?? 0.5;
      here = Math.min(Math.max(here + move[0], 0), COLUMNS - 1);
      drawn[here] = Math.min(
        Math.max((move[0] ? (drawn[here] ?? before) : before) + move[1], 0),
        1,
      );
      draw();
    }
    draw();
    return {
      mark(guess, text) {
        fixed = guess !== null;
        if (fixed && !(guess.length === COLUMNS && guess.every(Number.isFinite))) throw guess;
        drawn = guess === null ? Array(COLUMNS).fill(null) : [...guess];
        button.hidden = again.hidden = fixed;
        const pairs = text
          .replace(/['"‘’“”]/g, "")
          .split(",")
          .map((pair) => pair.trim().split(/\s+/).map(Number));
        const points = pairs.length > 1 ? pairs.map(([u, v]) => [X(u), Y(v)]) : [];
        found.setAttribute("d", fixed ? line(points) : "");
        draw();
      },
      say: () => "the dashed line",
      drawn: true,
    };
  }

  // ---- a block: what it veils, what it remembers

  function follows(block) {
    const all = [];
    let cells = 0;
    for (let node = block.nextElementSibling; node; node = node.nextElementSibling) {
      const cell = node.matches(".cell");
      if (
        node.matches("section, .predict") ||
        (cell && all.length && cells && !all.at(-1).matches(".cell"))
      )
        break;
      cells += cell;
      all.push(node);
    }
    return all;
  }

  function start(block) {
    const asked = JSON.parse(block.querySelector(".predict-asked").textContent);
    const key = `predict ${location.pathname} ${block.querySelector("p:not(.admonition-title)").textContent.slice(0, 60)}`;
    const truth = block.querySelector(".predict-answer");
    const veiled = follows(block);
    const place = h("div", { class: "predict-place" });
    const said = h("p", { class: "predict-said", role: "status" });
    const kind = (asked.low ? number : asked.x ? curve : choice)(
      block,
      place,
      (guess) => answer({ guess }),
      asked,
    );
    const look = h(
      "button",
      { type: "button", class: "predict-look", onclick: () => answer({ guess: null }) },
      "Just show me",
    );
    const again = h(
      "button",
      { type: "button", class: "predict-look", onclick: () => answer(null) },
      "Guess again",
    );
    block.append(place, said, look, again);
    // Code behind the veil says why it cannot be run yet, and lifts the veil at a click.
    const lifts = veiled
      .filter((node) => node.matches(".cell") && node.querySelector(".cell_input"))
      .map((cell) => {
        const lift = h("div", { class: "predict-lift" });
        const show = () => answer({ guess: null });
        lift.append(h("button", { type: "button", onclick: show }, "First your guess, or show"));
        cell.before(lift);
        return lift;
      });

    function answer(given) {
      if (given) store.setItem(key, JSON.stringify(given));
      else store.removeItem(key);
      const held = block.contains(document.activeElement) && document.activeElement;
      render(given);
      if (held && !held.offsetParent)
        (given ? again : block.querySelector("button, input, .predict-pad")).focus();
    }
    function render(given) {
      const guess = given?.guess ?? null;
      const text = truth?.textContent.trim() ?? "";
      kind.mark(guess, text);
      place.hidden = given !== null && guess === null;
      look.hidden = given !== null;
      again.hidden = given === null;
      const parts =
        guess === null
          ? []
          : kind.drawn
            ? ["Dashed, your guess; solid, what was found."]
            : ["Your guess: ", h("b", {}, ...[kind.say(guess)].flat()), "."];
      if (given && truth && !kind.drawn)
        parts.push(" Found: ", ...truth.querySelector("p").cloneNode(true).childNodes, ".");
      said.replaceChildren(...parts);
      for (const node of veiled) {
        node.classList.toggle("predict-veiled", given === null);
        node.inert = given === null;
      }
      for (const lift of lifts) lift.hidden = given !== null;
    }
    try {
      const kept = JSON.parse(store.getItem(key));
      if (kept && kept.guess === undefined) throw kept;
      render(kept);
    } catch {
      // written by an older page, or by hand
      answer(null);
    }
    // A link into what is veiled is a wish to look.
    const aimed = () => {
      const target =
        location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (target && veiled.some((node) => node.contains(target) && node.inert))
        answer({ guess: null });
    };
    addEventListener("hashchange", aimed);
    aimed();
  }

  document.querySelectorAll(".predict.admonition").forEach(start);
})();
