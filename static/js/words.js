/* What the scripts say, in the language of the page, which brings the words: exceptions_app/script_words.py. */
(() => {
  "use strict";

  const place = document.querySelector("meta[name=script-words]");
  const known = place ? JSON.parse(place.content) : {};

  window.word = (name, data = {}) =>
    (known[name] || name).replace(/\{(\w+)\}/g, (whole, key) => (Object.hasOwn(data, key) ? String(data[key]) : whole));
})();
