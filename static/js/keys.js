/* Keys for people who work here all day. What a key does stands in the page: data-key on what it presses or goes to,
   data-go on the places behind "g". Ctrl+Enter and Ctrl+K always work; single letters only while they are switched on. */
(() => {
  "use strict";

  const FOLLOWS_WITHIN = 1500; // milliseconds between "g" and the letter of a place
  const FIELDS = "input:not([type=hidden], [type=radio]), textarea, select";
  const root = document.documentElement;
  let goingUntil = 0;

  const isSeen = (element) => element.checkVisibility();
  const isTyping = (element) => Boolean(element.closest("input:not([type=checkbox]), textarea, select, [contenteditable]"));

  /* lists: a line is a row whose heading is a link */
  const lines = () => [...document.querySelectorAll("main tbody th a[href]")].filter(isSeen);
  const lineOf = (element) => element.closest("tbody tr");

  const step = (by) => {
    const links = lines();
    const here = links.findIndex((link) => lineOf(link) === lineOf(document.activeElement));
    const next = links[here === -1 ? (by > 0 ? 0 : links.length - 1) : here + by];
    if (!next) return false;
    next.focus();
    lineOf(next).scrollIntoView({ block: "nearest" });
    return true;
  };

  const openLine = () => {
    const line = lineOf(document.activeElement);
    const link = line && line.querySelector("th a[href]");
    if (link) link.click();
    return Boolean(link);
  };

  /* the box of the line is pressed as by a mouse, with or without Shift */
  const choose = (range) => {
    const line = lineOf(document.activeElement);
    const box = line && line.querySelector(".table__select input");
    if (box) box.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: range }));
    return Boolean(box);
  };

  /* what is folded is opened, and the first field with a problem is gone to, or the first field, or what can be pressed */
  const goTo = (part) => {
    for (let outer = part; outer; outer = outer.parentElement) {
      if (outer instanceof HTMLDetailsElement) outer.open = true;
    }
    part.querySelectorAll("details.fold").forEach((fold) => { fold.open = true; });
    const fields = [...part.querySelectorAll(FIELDS)].filter(isSeen);
    const target =
      fields.find((field) => field.closest(".field--error")) || fields[0] || part.querySelector("button[type=submit]");
    if (!target) return;
    target.scrollIntoView({ block: "center" });
    target.focus({ preventScroll: true });
    if (target.select) target.select();
  };

  const press = (element) => {
    if (element.matches("a, button")) element.click();
    else goTo(element);
  };

  const keyed = (key) => {
    const wanted = `[data-key="${CSS.escape(key)}"]`;
    const line = lineOf(document.activeElement);
    const inLine = line && line.querySelector(wanted);
    if (inLine) return inLine;
    return [...document.querySelectorAll(wanted)].find((element) => isSeen(element) && !lineOf(element));
  };

  const go = (key) => {
    const place = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
    if (place) place.click();
    return Boolean(place);
  };

  const pressKey = (key) => {
    const element = keyed(key);
    if (element) press(element);
    return Boolean(element);
  };

  const showHelp = () => {
    const dialog = document.getElementById("keys-dialog");
    if (!dialog) return false;
    window.htmx
      .ajax("GET", dialog.dataset.url, { target: "#keys-list" })
      .then(() => dialog.open || dialog.showModal());
    return true;
  };

  /* A page that is neither a list nor part of one leads back to the list that was walked last; see walk.js. */
  const leave = () => {
    const back = [...document.querySelectorAll("a[data-back]")].filter(isSeen).at(-1);
    if (back) back.click();
    else if (document.querySelector(".breadcrumb")) document.dispatchEvent(new CustomEvent("back-to-list"));
    return Boolean(back);
  };

  const single = (key) => {
    if (goingUntil > performance.now()) {
      goingUntil = 0;
      return go(key);
    }
    if (key === "g") {
      goingUntil = performance.now() + FOLLOWS_WITHIN;
      return true;
    }
    if (key === "j" || key === "ArrowDown") return step(1);
    if (key === "k" || key === "ArrowUp") return step(-1);
    if (key === "o") return openLine();
    if (key === "x" || key === "X") return choose(key === "X");
    if (key === "?") return showHelp();
    return pressKey(key);
  };

  /* The form that one is in, or that of the next step; what it cannot do without is gone to before it is sent. */
  const isMissing = (field) => (field.type === "checkbox" ? !field.checked : !field.value.trim());

  const send = (element) => {
    const form = element.closest("form") || [...document.querySelectorAll("[data-next-step] form, form[data-next-step]")].find(isSeen);
    if (!form) return false;
    const missing = [...form.querySelectorAll("[data-needed]")].filter(isSeen).find(isMissing);
    if (missing && missing !== document.activeElement) {
      missing.scrollIntoView({ block: "center" });
      missing.focus({ preventScroll: true });
      return true;
    }
    form.requestSubmit(form.querySelector(".form-actions button[type=submit]") || form.querySelector("button[type=submit]") || undefined);
    return true;
  };

  document.addEventListener("press", (event) => press(event.detail)); // chosen in the palette

  const isArrow = (key) => key === "ArrowDown" || key === "ArrowUp";

  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    let done = false;
    if (key === "Enter" && (event.ctrlKey || event.metaKey)) done = send(target);
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (key === "Escape") {
      if (document.querySelector("details.menu[open]")) return;
      if (isTyping(target)) target.blur();
      else done = leave();
    } else if (root.dataset.shortcuts === "off" || isTyping(target)) return;
    else if (isArrow(key) && !lineOf(target)) return; // the arrows scroll the page until a line is gone to
    else if (key.length === 1 || isArrow(key)) done = single(key);
    if (done) event.preventDefault();
  });
})();
