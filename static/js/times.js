/* Keeps "3 minutes ago" true on a page that stays open. The server wrote the first words. */
(() => {
  "use strict";

  const UNITS = [
    ["year", 31557600],
    ["month", 2629800],
    ["week", 604800],
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
    ["second", 1],
  ];
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang || undefined, { numeric: "always" });

  const refresh = () => {
    for (const element of document.querySelectorAll("time[data-relative]")) {
      const seconds = (Date.parse(element.dateTime) - Date.now()) / 1000;
      if (Number.isNaN(seconds)) continue;
      const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) || UNITS[UNITS.length - 1];
      const text = words.format(Math.round(seconds / size), unit);
      if (element.textContent !== text) element.textContent = text;
    }
  };

  window.setInterval(refresh, 30000);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
})();
