/* Drafts, preferences, filters, selection. Each form also works when it is simply sent. */
(() => {
  "use strict";

  const DRAFT_DELAY = 1200;
  /* data-time-zone on the page: the zone that all of its times are in, which is not always that of the browser. */
  const clockIn = (timeZone) =>
    new Intl.DateTimeFormat(document.documentElement.lang || undefined, {
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
      timeZone,
    });

  const clock = (() => {
    try {
      return clockIn(document.documentElement.dataset.timeZone || undefined);
    } catch {
      return clockIn(undefined); // a zone that this browser does not know
    }
  })();

  /* data-autosave on a form, data-autosave-url: the draft is posted there after a pause in typing.
     data-autosave-status inside the form says what became of it. */
  const drafts = new WeakMap();

  const say = (form, words, failed = false) => {
    const status = form.querySelector("[data-autosave-status]");
    if (!status) return;
    status.textContent = words;
    status.classList.toggle("save-status--failed", failed);
  };

  const saveDraft = async (form) => {
    const draft = drafts.get(form);
    if (draft.sending) {
      draft.again = true;
      return;
    }
    draft.sending = true;
    draft.again = false;
    try {
      const answer = await fetch(form.dataset.autosaveUrl, {
        method: "POST",
        body: new FormData(form),
        headers: { "X-Requested-With": "autosave" },
        redirect: "manual",
        signal: AbortSignal.timeout(10000),
      });
      if (answer.ok) say(form, `Draft saved ${clock.format(new Date())}`);
      else if (answer.type === "opaqueredirect" || answer.status === 403) {
        say(form, "Draft not saved: you were signed out. Sign in in another tab; this page keeps what you typed.", true);
      } else if (answer.status === 409) say(form, "Draft not saved: a colleague changed this exception. Save to compare.", true);
      else say(form, `Draft not saved: the server answered ${answer.status}. Your input is still here.`, true);
    } catch {
      say(form, "Draft not saved: the server could not be reached. Your input is still here.", true);
    }
    draft.sending = false;
    if (draft.again) saveDraft(form);
  };

  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-autosave]");
    if (!form || !form.dataset.autosaveUrl) return;
    const draft = drafts.get(form) || { timer: 0, sending: false, again: false };
    drafts.set(form, draft);
    window.clearTimeout(draft.timer);
    say(form, "Not saved yet");
    draft.timer = window.setTimeout(() => saveDraft(form), DRAFT_DELAY);
  });

  document.addEventListener("submit", (event) => {
    const draft = drafts.get(event.target);
    if (draft) window.clearTimeout(draft.timer);
  });

  /* theme, density, shortcuts: at once here, and remembered by the server */
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const button = event.submitter;
    if (!form.matches("[data-preferences]") || !button || !button.name) return;
    event.preventDefault();
    document.documentElement.dataset[button.name] = button.value;
    for (const other of form.querySelectorAll(`button[name="${button.name}"]`)) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    const fields = new FormData(form, button);
    try {
      await fetch(form.getAttribute("action"), { method: "POST", body: fields, redirect: "manual" });
    } catch {
      say(form, "Kept for this page only: the server could not be reached.", true);
    }
  });

  /* data-autosubmit on a filter form: choosing in a list applies it */
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-autosubmit]");
    if (form && event.target.matches("select, input[type=checkbox], input[type=radio]")) form.requestSubmit();
  });

  /* selection: data-select-all rules the rows of its table; data-selection-count shows how many */
  const countSelection = (table) => {
    const rows = table.querySelectorAll("tbody .table__select input");
    const chosen = [...rows].filter((box) => box.checked);
    const all = table.querySelector("[data-select-all]");
    if (all) {
      all.checked = chosen.length > 0 && chosen.length === rows.length;
      all.indeterminate = chosen.length > 0 && chosen.length < rows.length;
    }
    for (const target of document.querySelectorAll("[data-selection-count]")) target.textContent = String(chosen.length);
    for (const bar of document.querySelectorAll("[data-selection-bar]")) bar.hidden = chosen.length === 0;
  };

  document.addEventListener("change", (event) => {
    if (!event.target.closest(".table__select")) return;
    const table = event.target.closest("table");
    if (event.target.matches("[data-select-all]")) {
      for (const box of table.querySelectorAll("tbody .table__select input")) box.checked = event.target.checked;
    }
    countSelection(table);
  });
})();
