/* The page asks from time to time who else is there. It does not while nobody looks at it, and it is never loud. */
(() => {
  "use strict";

  const isOfPresence = (event) => event.target instanceof Element && event.target.id === "case-presence";

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isOfPresence(event) && document.hidden) event.preventDefault();
  });

  document.addEventListener("visibilitychange", () => {
    const part = document.getElementById("case-presence");
    if (part && !document.hidden) part.dispatchEvent(new CustomEvent("look"));
  });

  /* Before anybody else hears of it: that one beat failed is no news to the person. */
  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
    document.addEventListener(name, (event) => isOfPresence(event) && event.stopImmediatePropagation(), true);
  }

  /* A new sign-in has a new token; the forms of this page are sent with it from now on, and so is what the answer
     itself brings about: the token is taken before the answer is put into the page. */
  const renew = (token) => {
    const headers = JSON.parse(document.body.getAttribute("hx-headers") || "{}");
    document.body.setAttribute("hx-headers", JSON.stringify({ ...headers, "X-CSRFToken": token }));
    for (const input of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) input.value = token;
    document.dispatchEvent(new CustomEvent("token-renewed"));
  };

  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const token = isOfPresence(event) && event.detail.xhr && event.detail.xhr.getResponseHeader("X-Form-Token");
    if (token) renew(token);
  });
})();
