// Quick checks: the answers are in the page, folded; this remembers, in this browser alone, which
// of them the reader knew. Without it the questions and answers are all there.
document.addEventListener("DOMContentLoaded", () => {
  let store;
  try {
    store = window.localStorage; // refused where the reader blocks it
  } catch {
    return;
  }
  for (const check of document.querySelectorAll(".quick-check")) {
    const questions = [...check.querySelectorAll("details")];
    const keys = questions.map((_, i) => `quick-check ${location.pathname} ${check.id} ${i}`);
    const score = document.createElement("span");
    score.className = "quick-check-score";
    score.setAttribute("role", "status");
    check.querySelector(".admonition-title").append(score);
    const count = () => {
      const known = keys.filter((key) => store.getItem(key)).length;
      score.textContent = known ? ` ${known} of ${keys.length} known` : "";
    };
    questions.forEach((question, i) => {
      const box = Object.assign(document.createElement("input"), { type: "checkbox" });
      box.checked = Boolean(store.getItem(keys[i]));
      box.addEventListener("change", () => {
        if (box.checked) store.setItem(keys[i], "known");
        else store.removeItem(keys[i]);
        count();
      });
      const label = document.createElement("label");
      label.className = "quick-check-known";
      label.append(box, " I knew that, and why");
      question.querySelector(".sd-summary-content").append(label);
    });
    count();
  }
});
