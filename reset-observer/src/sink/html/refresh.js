// Without this, the page is complete and a browser loads it again by itself; with it, what was opened stays open.
setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    for (const open of document.querySelectorAll("details[open]")) next.querySelector(`details[data-id="${open.dataset.id}"]`)?.setAttribute("open", "");
    document.querySelector("main").replaceWith(next);
  } catch { /* The observer is away; what is shown stays, with its time. */ }
}, 10000);
