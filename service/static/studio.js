// The editor: what is ticked is counted as it changes, and a press on a placeholder writes it where the cursor stands.
"use strict";
const text = document.getElementById("body");
for (const code of document.querySelectorAll("[data-insert]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link";
  button.textContent = code.textContent;
  button.addEventListener("click", () => { text.setRangeText(code.dataset.insert, text.selectionStart, text.selectionEnd, "end"); text.focus(); });
  code.replaceChildren(button);
}
const counter = document.querySelector("[data-count]");
let waiting = 0, asked = 0;
const count = async () => {
  const fields = new FormData(counter.form), mine = ++asked;
  for (const name of ["csrf_token", "subject", "body", "number", "send_day", "send_time"]) fields.delete(name);
  try {
    const answer = await fetch(`${counter.dataset.count}?${new URLSearchParams(fields)}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("audience");
    if (fresh && mine === asked) document.getElementById("audience").replaceWith(fresh);
  } catch { /* the server is away for a moment; the button is still there */ }
};
counter.form.addEventListener("change", (event) => {
  if (["subject", "body", "send_day", "send_time"].includes(event.target.name)) return;
  clearTimeout(waiting);
  waiting = setTimeout(count, 200);
});
count();
