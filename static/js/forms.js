/* Preferences and filters. Each form also works when it is simply sent. */
(() => {
  "use strict";

  const say = (form, words, failed = false) => {
    const status = form.querySelector("[data-autosave-status]");
    if (!status) return;
    status.textContent = words;
    status.classList.toggle("save-status--failed", failed);
  };

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
      say(form, window.word("kept-here-only"), true);
    }
  });

  /* data-autosubmit on a filter form: choosing in a list applies it */
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-autosubmit]");
    if (form && event.target.matches("select, input[type=checkbox], input[type=radio]")) form.requestSubmit();
  });
})();
