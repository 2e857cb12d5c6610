// Two changes to the search: its order here, its excerpts below.
// How the search ranks what it finds: the chapter that explains a term before the glossary, titles
// and headings before the text, the text before names of the API and before code.
var Scorer = {
  score: ([docname, , , , score]) => score - (/^book\/(glossary|reference)/.test(docname) ? 1 : 0),
  objNameMatch: 11,
  objPartialMatch: 3,
  objPrio: { 0: 1, 1: 0, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

// An excerpt is of the article, without the buttons over it, and its formulas without their marks.
document.addEventListener("DOMContentLoaded", () => {
  const told = Search.htmlToText;
  Search.htmlToText = (html, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const main = page.querySelector("main");
    main.replaceChildren(main.querySelector("article") ?? "");
    return told(page.documentElement.outerHTML, anchor).replace(/\\\((.*?)\\\)/g, "$1");
  };
});
