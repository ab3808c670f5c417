/* One exception: take over a proposed value, count what is changed, open what a link leads to. The page works without. */
(() => {
  "use strict";

  const plain = (text) => text.replaceAll("\r\n", "\n");

  const mark = (field) => {
    const input = field.querySelector("input, textarea, select");
    const changed = plain(input.value).trim() !== plain(field.dataset.was).trim();
    field.classList.toggle("field--changed", changed && !field.classList.contains("field--error"));
    return changed;
  };

  const count = (form) => {
    const changed = [...form.querySelectorAll(".field[data-was]")].filter(mark).length;
    const target = form.querySelector("[data-changed-count]");
    if (!target) return;
    if (changed === 0) target.textContent = "";
    else target.textContent = changed === 1 ? window.word("field-changed") : window.word("fields-changed", { number: changed });
  };

  const countAll = () => document.querySelectorAll("form[data-correction]").forEach(count);

  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-correction]");
    if (form) count(form);
  });

  const open = (element) => {
    for (let part = element; part; part = part.parentElement) {
      if (part instanceof HTMLDetailsElement) part.open = true;
    }
    element.querySelectorAll("details.fold").forEach((fold) => { fold.open = true; });
  };

  document.addEventListener("click", (event) => {
    const use = event.target.closest("[data-use]");
    if (use) {
      const input = document.getElementById(use.dataset.use);
      if (!input) return;
      event.preventDefault();
      open(input);
      input.value = use.dataset.useValue;
      input.dispatchEvent(new Event("input", { bubbles: true }));
      input.focus();
      return;
    }
    const link = event.target.closest("#case a[href^='#']");
    const target = link && document.getElementById(link.hash.slice(1));
    if (!target) return;
    open(target);
    const first = target.matches("input, textarea, select")
      ? target
      : target.querySelector("input:not([type=hidden], [type=radio]), textarea, select");
    if (!first) return;
    event.preventDefault();
    target.scrollIntoView({ block: target === first ? "center" : "start" });
    first.focus({ preventScroll: true });
  });

  const openAddressed = () => {
    const target = window.location.hash && document.getElementById(window.location.hash.slice(1));
    if (target) open(target);
  };

  /* An action that is not permitted answers 403 with the page and the reason on it. */
  document.addEventListener("htmx:beforeSwap", (event) => {
    const answer = event.detail.xhr;
    if (answer.status !== 403 || answer.getResponseHeader("X-Fragment") !== "case") return;
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  });

  openAddressed();
  countAll();
  document.addEventListener("htmx:afterSettle", countAll);
})();
