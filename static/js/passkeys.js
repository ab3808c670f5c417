/* Asks the browser for a passkey, or for a new one, and sends the form that it stands in with what comes of it.
   What cannot do this never shows the button: the code or the password beside it does the same. */
(() => {
  "use strict";

  const ACTS = {
    get: async (options) =>
      navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
    create: async (options) =>
      navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
  };
  const known = window.PublicKeyCredential;
  const can = { get: known && known.parseRequestOptionsFromJSON, create: known && known.parseCreationOptionsFromJSON };

  const ask = async (place) => {
    const form = place.closest("form");
    const problem = place.querySelector("[data-passkey-problem]");
    const { passkeyAct: act, passkeyOptions: options } = place.dataset;
    if (act === "create" && !form.reportValidity()) return;
    problem.hidden = true;
    try {
      const credential = await ACTS[act](JSON.parse(options));
      place.querySelector("[data-passkey-answer]").value = JSON.stringify(credential.toJSON());
      // Past the check of the other fields: a code is not typed when there is a passkey.
      form.submit();
    } catch {
      problem.hidden = false;
    }
  };

  for (const place of document.querySelectorAll("[data-passkey-act]")) {
    if (!can[place.dataset.passkeyAct]) continue;
    place.hidden = false;
    place.querySelector("[data-passkey-ask]").addEventListener("click", () => ask(place));
  }
})();
