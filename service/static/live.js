// Fetches this page again every two seconds while a region says that it is live, and puts the new region in its place.
// Where its state is another, the buttons are others as well: then the whole page is loaded again.
"use strict";
const again = async () => {
  const region = document.querySelector("[data-live]");
  if (!region) return;
  try {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    const fresh = page.getElementById(region.id);
    if (fresh && fresh.innerHTML !== region.innerHTML) region.replaceWith(fresh);
    if (fresh && (!fresh.hasAttribute("data-live") || fresh.dataset.state !== region.dataset.state)) location.reload();
  } catch { /* the server is away for a moment; the next turn tries again */ }
  setTimeout(again, 2000);
};
setTimeout(again, 2000);
