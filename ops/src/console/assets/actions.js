// Buttons that change something: asked first, sent as POST with a header that no other site can set.
import { isOver } from "./live.js";

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
        const told = parsed(await answer.text());
        if (isOver(answer)) tell("Not done: your session has ended.", true);
        else if (answer.ok) done(button, told);
        else tell(failure(answer.status, told), true);
    } catch {
        tell("The server can't be reached; whether it was done is not known.", true);
    } finally {
        button.disabled = false;
    }
}

function sure(button) {
    const dialog = document.getElementById("question");
    const name = words(button);
    dialog.querySelector("h2").textContent = name;
    dialog.querySelector("p").textContent = button.dataset.ask;
    const yes = dialog.querySelector("button[value=yes]");
    yes.textContent = name;
    yes.classList.toggle("danger", button.classList.contains("danger"));
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    });
}

// A button's own words; what it says afterwards lies in templates inside of it.
function words(button) {
    return button.firstChild.textContent.trim();
}

function done(button, answer) {
    if (button.dataset.then) return location.assign(button.dataset.then);
    const said = [...button.querySelectorAll("template")];
    const told = said.find((one) => [answer?.outcome, ""].includes(one.dataset.outcome));
    tell(told?.content.textContent ?? "Done.");
    document.dispatchEvent(new Event("dormouse:acted"));
}

// Only the server itself knows that nothing was done: a proxy may have given up on what goes on.
function failure(status, problem) {
    if (problem?.error && !problem.unknown) return `Not done: ${problem.error}`;
    return `Not known whether it was done: ${problem?.error ?? status}`;
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
