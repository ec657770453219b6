// Keeps the page of ./lab open as things stand. Without it the page is the same: reload it to look again.
"use strict";
const news = new EventSource("news/" + document.querySelector("main").dataset.stamp);
let busy = false;
news.onmessage = async () => {
  if (busy) return;
  busy = true;
  try {
    const answer = await fetch(location.pathname);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const open = new Set([...document.querySelectorAll("details[open]")].map((each) => each.id));
    const focus = document.activeElement && document.activeElement.id;
    page.querySelectorAll("details").forEach((each) => { each.open = open.has(each.id); });
    document.querySelector("main").replaceWith(page.querySelector("main"));
    if (focus) document.getElementById(focus)?.focus();
    document.getElementById("live").textContent = "live: looked again at " + new Date().toLocaleTimeString();
  } finally {
    busy = false;
  }
};
news.onopen = () => { document.getElementById("live").textContent = "live: it changes by itself"; };
news.onerror = () => { document.getElementById("live").textContent = "no longer live: is ./lab open still running?"; };
