// Parts of a page that the server renders anew every few seconds: tables that no stream carries.

import { isOver } from "./live.js";

export function refresh(connection) {
    for (const part of document.querySelectorAll("[data-refresh-ms]")) {
        setInterval(() => renew(part, connection), Number(part.dataset.refreshMs));
    }
    document.addEventListener("dormouse:reconnected", () => {
        for (const part of document.querySelectorAll("[data-refresh-ms]")) renew(part, connection);
    });
}

async function renew(part, connection) {
    // not under the reader's cursor
    const reading = part.contains(document.activeElement) || part.matches(":hover:has(a:active)");
    if (document.hidden || !connection.up || reading || part.dataset.asked) return;
    part.dataset.asked = "yes";
    try {
        const answer = await fetch(location.href);
        if (isOver(answer) || !answer.ok) return;
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
        if (fresh && fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
    } catch {
        // the stream says when the server is gone
    } finally {
        delete part.dataset.asked;
    }
}
