/* A reason that was written before is brought back by the arrow up in an empty one, and those before it by more of them.
   They are kept in the tab, for the person who wrote them. What stands there is read before it is sent, as if it were typed. */
(() => {
  "use strict";

  const KEPT = "reasons-written";
  const MOST = 10;
  const FIELD = "textarea[name=because]";
  const menu = document.getElementById("user-menu");
  const person = menu ? menu.dataset.person : "";

  const read = () => {
    try {
      const kept = JSON.parse(window.sessionStorage.getItem(KEPT));
      return kept && kept.person === person ? kept.reasons : [];
    } catch {
      return [];
    }
  };

  const keep = (reason) => {
    const reasons = [reason, ...read().filter((other) => other !== reason)].slice(0, MOST);
    try {
      window.sessionStorage.setItem(KEPT, JSON.stringify({ person, reasons }));
    } catch {
      // A browser that keeps nothing brings nothing back.
    }
  };

  document.addEventListener("submit", (event) => {
    const field = event.target.querySelector(FIELD);
    if (field && field.value.trim()) keep(field.value.trim());
  });

  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (key !== "ArrowUp" || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (!target.matches(FIELD)) return;
    const reasons = read();
    const place = target.value ? reasons.indexOf(target.value) : -1;
    if (target.value && place === -1) return; // one of their own, in which the arrow moves
    if (!reasons[place + 1]) return;
    target.value = reasons[place + 1];
    target.dispatchEvent(new Event("input", { bubbles: true }));
    event.preventDefault();
  });
})();
