/* From one exception to the next in the list that it was opened from, over the pages of the list. The list is kept in the
   tab, as it was when it was last seen: an exception that is done stays in its place, and nobody's turn is lost. */
(() => {
  "use strict";

  const KEPT = "list-walked";
  const FIRST = "#first";
  const LAST = "#last";

  const read = () => {
    try {
      return JSON.parse(window.sessionStorage.getItem(KEPT));
    } catch {
      return null;
    }
  };

  const keep = () => {
    const list = document.querySelector("[data-walk]");
    if (!list) return;
    const page = (rel) => list.querySelector(`.pager a[rel=${rel}]`)?.href || "";
    const paths = [...list.querySelectorAll("tbody th a[href]")].map((link) => link.pathname).filter((path) => path.startsWith("/exceptions/"));
    const here = window.location.pathname + window.location.search;
    try {
      window.sessionStorage.setItem(KEPT, JSON.stringify({ here, paths, next: page("next"), previous: page("prev") }));
    } catch {
      return; // a browser that keeps nothing shows no way on
    }
    const path = { [FIRST]: paths[0], [LAST]: paths.at(-1) }[window.location.hash];
    if (path) window.location.replace(path);
  };

  const lead = (link, path, page, place) => {
    link.hidden = !path && !page;
    if (path) link.href = path;
    else if (page) link.href = page + place;
  };

  const show = () => {
    const walk = document.getElementById("walk");
    const list = walk && read();
    const place = list ? list.paths.indexOf(window.location.pathname) : -1;
    if (place === -1) return;
    walk.querySelector("[data-walk-back]").href = list.here;
    walk.querySelector("[data-walk-place]").textContent = `${place + 1} / ${list.paths.length}`;
    lead(walk.querySelector("[rel=prev]"), list.paths[place - 1], list.previous, LAST);
    lead(walk.querySelector("[rel=next]"), list.paths[place + 1], list.next, FIRST);
    walk.hidden = false;
  };

  document.addEventListener("back-to-list", () => {
    const list = read();
    if (list && !document.querySelector("[data-walk]")) window.location.assign(list.here);
  });

  keep();
  show();
  document.addEventListener("htmx:afterSettle", keep);
})();
