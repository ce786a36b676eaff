// Buttons that change something: asked first, sent as POST with a header that no other site can set.

const TOLD_MS = 8_000;

export function actions() {
    document.addEventListener("click", (event) => {
        const button = event.target.closest("button[data-post]");
        if (button) act(button);
    });
    if (new URLSearchParams(location.search).has("find")) document.querySelector("[data-search]")?.focus();
}

async function act(button) {
    if (!(await sure(button))) return;
    button.disabled = true;
    try {
        const answer = await fetch(button.dataset.post, { method: "POST", headers: { "X-Dormouse-Action": "1" } });
        const text = await answer.text();
        if (answer.ok) done(button, parsed(text));
        else tell(`Not done: ${reason(text) || answer.statusText}`, true);
    } catch {
        tell("The server can't be reached; whether it was done is not known.", true);
    } finally {
        button.disabled = false;
    }
}

function sure(button) {
    const dialog = document.getElementById("question");
    dialog.querySelector("h2").textContent = button.textContent;
    dialog.querySelector("p").textContent = button.dataset.ask;
    dialog.querySelector("button[value=yes]").textContent = button.textContent;
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    });
}

function done(button, answer) {
    if (button.dataset.then) location.assign(button.dataset.then);
    else tell(answer?.message ?? button.dataset.done ?? "Done.");
    document.dispatchEvent(new Event("dormouse:acted"));
}

function reason(text) {
    const answer = parsed(text);
    return answer?.detail ?? answer?.error?.message ?? answer?.error ?? answer?.message ?? text;
}

function parsed(text) {
    try {
        return JSON.parse(text);
    } catch {
        return null;
    }
}

function tell(words, bad = false) {
    const line = document.createElement("p");
    line.textContent = words;
    line.classList.toggle("bad", bad);
    document.getElementById("told").append(line);
    setTimeout(() => line.remove(), TOLD_MS);
}
