/* Menus, copying, messages, confirmation, search key, focus. Every page works without this file. */
(() => {
  "use strict";

  const root = document.documentElement;
  root.dataset.script = "on";

  /* menus: details elements that close like menus */
  const openMenus = () => document.querySelectorAll("details.menu[open]");

  document.addEventListener("click", (event) => {
    for (const menu of openMenus()) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of openMenus()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  /* messages that need no page: announced politely, errors stay until closed */
  const sprite = () => {
    const use = document.querySelector(".icon use");
    return use ? use.getAttribute("href").split("#")[0] : "";
  };

  const iconElement = (name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `${sprite()}#${name}`);
    svg.append(use);
    return svg;
  };

  const toast = (text, tone = "info") => {
    const region = document.getElementById("toasts");
    if (!region || !text) return;
    const known = ["info", "success", "warning", "danger"].includes(tone) ? tone : "info";
    const box = document.createElement("div");
    const words = document.createElement("div");
    const close = document.createElement("button");
    box.className = `banner banner--${known}`;
    words.textContent = text;
    close.type = "button";
    close.className = "copyable__button";
    close.setAttribute("aria-label", window.word("close-message"));
    close.append(iconElement("close"));
    close.addEventListener("click", () => box.remove());
    box.append(iconElement(known), words, close);
    region.append(box);
    if (known === "info" || known === "success") window.setTimeout(() => box.remove(), 12000);
  };

  /* The server may send HX-Trigger: {"toast": {"text": "…", "tone": "success"}}. */
  document.addEventListener("toast", (event) => toast(event.detail.text, event.detail.tone));

  document.addEventListener("htmx:sendError", () => {
    toast(window.word("unreached"), "danger");
  });

  document.addEventListener("htmx:timeout", () => {
    toast(window.word("too-slow"), "warning");
  });

  document.addEventListener("htmx:responseError", (event) => {
    const answer = event.detail.xhr;
    const reference = answer.getResponseHeader("X-Request-ID");
    const suffix = reference ? ` ${window.word("reference", { reference })}` : "";
    const tell = (words, tone) => toast(words + suffix, tone);
    if (answer.status === 403) tell(window.word("refused"), "warning");
    else if (answer.status === 404) tell(window.word("not-there"), "warning");
    else if (answer.status === 413) tell(window.word("too-large"), "warning");
    else tell(window.word("answered-with-error", { status: answer.status }), "danger");
  });

  /* copying */
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      const text = button.dataset.copy;
      toast(window.word("copied", { text: text.length > 60 ? `${text.slice(0, 60)}…` : text }), "success");
    } catch {
      toast(window.word("not-copied"), "warning");
    }
  });

  /* printing: what is folded is open on paper, in browsers that do not open it by the stylesheet as well */
  document.querySelectorAll("[data-print]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  });
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("main details:not([open])").forEach((folded) => {
      folded.open = true;
      folded.dataset.opened = "";
    });
  });
  window.addEventListener("afterprint", () => {
    document.querySelectorAll("main details[data-opened]").forEach((folded) => {
      folded.open = false;
      delete folded.dataset.opened;
    });
  });

  /* confirmation: data-confirm on a submit button or a form; data-confirm-title, data-confirm-label optional */
  const dialog = document.getElementById("confirm-dialog");
  const confirmed = new WeakSet();

  const ask = (source, proceed) => {
    const title = dialog.querySelector("[data-confirm-title]");
    const accept = dialog.querySelector("[data-confirm-accept]");
    title.textContent = source.dataset.confirmTitle || title.dataset.default;
    accept.textContent = source.dataset.confirmLabel || accept.dataset.default;
    dialog.querySelector("[data-confirm-text]").textContent = source.dataset.confirm;
    dialog.returnValue = "cancel";
    dialog.addEventListener("close", () => dialog.returnValue === "confirm" && proceed(), { once: true });
    dialog.showModal();
  };

  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      const button = event.submitter;
      const source = button && button.dataset.confirm ? button : form;
      if (!dialog || !source.dataset.confirm) return;
      if (confirmed.delete(form)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      ask(source, () => {
        confirmed.add(form);
        form.requestSubmit(button || undefined);
      });
    },
    true,
  );

  /* "/" goes to the search box, unless the reader types or has switched single keys off */
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (root.dataset.shortcuts === "off") return;
    if (event.target.closest("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
    const search = document.getElementById("app-search");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  });

  /* tabs that need more than the window's width: the current one comes into sight */
  const showCurrentTabs = () => {
    for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
      const row = tab.closest(".tabs");
      row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
    }
  };

  showCurrentTabs();
  document.addEventListener("htmx:afterSettle", showCurrentTabs);

  /* focus: the error summary, or whatever a new fragment names */
  const settleFocus = (part) => {
    const target = part.matches && part.matches("[data-focus]") ? part : part.querySelector("[data-focus]");
    if (target) target.focus();
  };

  settleFocus(document);
  document.addEventListener("htmx:afterSettle", (event) => settleFocus(event.target));
})();
