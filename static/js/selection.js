/* Choosing lines of a list: one, all of the page, or with Shift all since the last one. The server keeps what is chosen;
   without this file a button of the form does. */
(() => {
  "use strict";

  const DELAY = 150; // milliseconds after the last change
  let last = "";
  let ranged = false;
  let timer = 0;

  const bar = () => document.getElementById("bulk");
  const boxes = () => [...document.querySelectorAll(".table__select input[name=case]")];

  const showHead = () => {
    const all = document.querySelector("[data-select-all]");
    const chosen = boxes().filter((box) => box.checked).length;
    if (!all) return;
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
  };

  const keep = () => {
    timer = 0;
    const form = bar();
    if (!form) return;
    window.htmx.ajax("POST", form.getAttribute("action"), { source: form, target: "#bulk-bar", values: { do: "keep" } });
  };

  const changed = () => {
    showHead();
    window.clearTimeout(timer);
    timer = window.setTimeout(keep, DELAY);
  };

  const chooseSince = (box) => {
    const all = boxes();
    const ends = [all.findIndex((other) => other.value === last), all.indexOf(box)].sort((a, b) => a - b);
    if (ends[0] === -1) return;
    for (const other of all.slice(ends[0], ends[1] + 1)) other.checked = box.checked;
  };

  document.addEventListener("click", (event) => {
    if (event.target.matches(".table__select input")) ranged = event.shiftKey;
  });

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!box.matches(".table__select input")) return;
    if (box.matches("[data-select-all]")) for (const other of boxes()) other.checked = box.checked;
    else {
      if (ranged && last) chooseSince(box);
      last = box.value;
    }
    ranged = false;
    changed();
  });

  /* whoever goes on at once takes the last change along */
  window.addEventListener("pagehide", () => {
    const form = bar();
    if (!timer || !form) return;
    const fields = new FormData(form);
    fields.append("do", "keep");
    navigator.sendBeacon(form.getAttribute("action"), fields);
  });

  showHead();
  document.addEventListener("htmx:afterSettle", showHead);
})();
