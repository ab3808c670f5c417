/* What is typed into a correction is kept by the server after a pause, before anything else takes the page away, and
   when the page is left. The page works without: what is sent and not saved is kept by the server as well. */
(() => {
  "use strict";

  const DELAY = 1200;
  const PATIENCE = 10000;

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

  /* data-autosave on a form, data-autosave-url: where the draft is posted. data-autosave-status inside the form says
     what became of it. `dirty` while the server does not have what is typed, `sent` while the form itself is on its way. */
  const drafts = new WeakMap();

  const draftOf = (form) => {
    if (!drafts.has(form)) drafts.set(form, { timer: 0, sending: null, dirty: false, submitting: false, sent: false });
    return drafts.get(form);
  };

  const dirtyForms = () =>
    [...document.querySelectorAll("form[data-autosave]")].filter((form) => drafts.has(form) && draftOf(form).dirty);

  const say = (form, words, failed = false) => {
    const status = form.querySelector("[data-autosave-status]");
    if (!status) return;
    status.textContent = words;
    status.classList.toggle("save-status--failed", failed);
  };

  const post = (form, more) =>
    fetch(form.dataset.autosaveUrl, {
      method: "POST",
      body: new FormData(form),
      headers: { "X-Requested-With": "autosave" },
      redirect: "manual",
      ...more,
    });

  const hear = (form, answer) => {
    const time = clock.format(new Date());
    if (answer.ok) return say(form, window.word("draft-saved", { time }));
    if (answer.status === 409) return say(form, window.word("draft-saved-beside", { time }));
    draftOf(form).dirty = true;
    if (answer.status === 412) return say(form, window.word("draft-older"), true);
    if (answer.type === "opaqueredirect" || answer.status === 403) {
      return say(form, window.word("draft-signed-out"), true);
    }
    return say(form, window.word("draft-refused", { status: answer.status }), true);
  };

  const send = async (form) => {
    draftOf(form).dirty = false;
    try {
      hear(form, await post(form, { signal: AbortSignal.timeout(PATIENCE) }));
    } catch {
      draftOf(form).dirty = true;
      say(form, window.word("draft-unreached"), true);
    }
  };

  /* Until the server has what was typed when this was called, or it is known that it has not. */
  const save = async (form) => {
    const draft = draftOf(form);
    window.clearTimeout(draft.timer);
    while (draft.sending) await draft.sending;
    if (!draft.dirty || draft.sent) return;
    draft.sending = send(form);
    await draft.sending;
    draft.sending = null;
  };

  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-autosave]");
    if (!form || !form.dataset.autosaveUrl) return;
    const draft = draftOf(form);
    draft.dirty = true;
    window.clearTimeout(draft.timer);
    say(form, window.word("draft-not-yet"));
    draft.timer = window.setTimeout(() => save(form), DELAY);
  });

  /* An answer that takes the place of the form comes with the draft in it, so the draft goes first. The form itself
     goes after a draft that is under way: the other way round there would be a draft of what is saved already. */
  document.addEventListener("htmx:confirm", async (event) => {
    const { elt, target, issueRequest } = event.detail;
    if (!target) return;
    if (elt.matches("form[data-autosave]")) {
      const draft = draftOf(elt);
      window.clearTimeout(draft.timer);
      if (draft.submitting) return event.preventDefault();
      if (!draft.sending) return;
      event.preventDefault();
      draft.submitting = true;
      while (draft.sending) await draft.sending;
      draft.submitting = false;
      issueRequest(true);
      return;
    }
    const touched = dirtyForms().filter((form) => target.contains(form));
    if (touched.length === 0) return;
    event.preventDefault();
    await Promise.all(touched.map(save));
    await Promise.all(touched.map(save)); // what was typed meanwhile, or what was lost on the way
    if (touched.some((form) => draftOf(form).dirty)) return; // its status says why
    issueRequest(true);
  });

  /* What was sent is the server's to keep; what did not get there is not. While it is on its way no draft follows it,
     or there would be one of what is saved already. */
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!event.target.matches("form[data-autosave]")) return;
    const draft = draftOf(event.target);
    window.clearTimeout(draft.timer);
    draft.dirty = false;
    draft.sent = true;
  });
  for (const name of ["htmx:sendError", "htmx:sendAbort", "htmx:timeout", "htmx:responseError"]) {
    document.addEventListener(name, (event) => {
      if (event.target.matches("form[data-autosave]")) draftOf(event.target).dirty = true;
    });
  }
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.target.matches("form[data-autosave]")) return;
    draftOf(event.target).sent = false;
    if (event.target.isConnected && draftOf(event.target).dirty) save(event.target);
  });

  /* Signed in again: what could not be kept meanwhile. */
  document.addEventListener("token-renewed", () => dirtyForms().forEach(save));

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-discards-draft]")) return;
    for (const form of dirtyForms()) {
      window.clearTimeout(draftOf(form).timer);
      draftOf(form).dirty = false;
    }
  });

  window.addEventListener("pagehide", () => {
    for (const form of dirtyForms()) post(form, { keepalive: true }).catch(() => {});
  });
})();
