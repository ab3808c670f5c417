/* Ctrl+K: everything on this page that has a key, every place in the navigation, and what a search finds, in one box.
   The same is there without it: the buttons, the navigation and the search page. */
(() => {
  "use strict";

  const PAUSE = 150; // milliseconds without typing before the server is asked
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("[role=listbox]");
  const status = dialog.querySelector("[role=status]");
  let choices = [];
  let found = [];
  let chosen = 0;
  let timer = 0;
  let asking = null;

  const plain = (text) => text.replace(/\s+/g, " ").trim();

  /* What is read is what is pressed: of what unfolds its summary, of a part of the page its heading, without the sign of the key. */
  const labelled = (element) => {
    if (element.hasAttribute("aria-label")) return plain(element.getAttribute("aria-label"));
    const named = document.getElementById(element.getAttribute("aria-labelledby")) || element.querySelector("summary") || element;
    const copy = named.cloneNode(true);
    copy.querySelectorAll(".key-hint").forEach((hint) => hint.remove());
    return plain(copy.textContent);
  };

  const onThisPage = () =>
    [...document.querySelectorAll("main [data-key]")]
      .filter((element) => element.checkVisibility() && !element.closest("tbody"))
      .map((element) => ({
        label: labelled(element),
        note: window.word("on-this-page"),
        run: () => document.dispatchEvent(new CustomEvent("press", { detail: element })),
      }));

  const places = () => {
    const known = new Map();
    for (const link of document.querySelectorAll(".nav__link")) {
      const label = plain(link.querySelector("span").textContent);
      if (!known.has(link.href)) known.set(link.href, { label, note: window.word("go-to"), url: link.href });
    }
    return [...known.values()];
  };

  const matching = (text) => {
    const wanted = text.toLocaleLowerCase();
    return [...onThisPage(), ...places()].filter((choice) => choice.label.toLocaleLowerCase().includes(wanted));
  };

  const mark = () => {
    [...list.children].forEach((option, number) => option.setAttribute("aria-selected", String(number === chosen)));
    const option = list.children[chosen];
    input.setAttribute("aria-activedescendant", option ? option.id : "");
    if (option) option.scrollIntoView({ block: "nearest" });
  };

  const optionOf = (choice, number) => {
    const option = document.createElement("li");
    const label = document.createElement("span");
    const note = document.createElement("span");
    option.id = `palette-option-${number}`;
    option.className = "palette__option";
    option.setAttribute("role", "option");
    label.textContent = choice.label;
    note.textContent = choice.note;
    note.className = "muted small";
    option.append(label, note);
    return option;
  };

  const draw = () => {
    const text = input.value.trim();
    choices = [...found, ...matching(text)];
    if (text) choices.push({ label: window.word("search-for", { text }), note: "", url: `${dialog.dataset.search}?q=${encodeURIComponent(text)}` });
    chosen = 0;
    list.replaceChildren(...choices.map(optionOf));
    status.textContent = window.word("to-choose-from", { number: choices.length });
    mark();
  };

  const ask = async (text) => {
    if (asking) asking.abort();
    asking = new AbortController();
    try {
      const signal = AbortSignal.any([asking.signal, AbortSignal.timeout(5000)]);
      const answer = await fetch(`${dialog.dataset.url}?q=${encodeURIComponent(text)}`, { signal, redirect: "error" });
      if (answer.ok && input.value.trim() === text) {
        found = (await answer.json()).found;
        draw();
      }
    } catch {
      // Nothing is found while the server is not reached; the last choice leads to the search page, which says why.
    }
  };

  const run = (choice) => {
    if (!choice) return;
    dialog.close();
    if (choice.run) choice.run();
    else window.location.assign(choice.url);
  };

  const open = () => {
    input.value = "";
    found = [];
    draw();
    dialog.showModal();
  };

  input.addEventListener("input", () => {
    window.clearTimeout(timer);
    found = [];
    draw();
    const text = input.value.trim();
    if (text) timer = window.setTimeout(() => ask(text), PAUSE);
  });

  input.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) {
      event.preventDefault();
      chosen = (chosen + by + choices.length) % Math.max(choices.length, 1);
      mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(choices[chosen]);
    }
  });

  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) run(choices[[...list.children].indexOf(option)]);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    if (document.querySelector("dialog[open]")) return;
    event.preventDefault();
    open();
  });

  document.querySelectorAll("[data-opens-palette]").forEach((button) => button.addEventListener("click", open));
})();
