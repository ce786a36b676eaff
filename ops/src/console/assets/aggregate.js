// The slider of one aggregate: the server renders a version, this asks for it and swaps it in.
import { isOver } from "./live.js";

const SETTLE_MS = 90; // while the slider moves, only where it rests is asked for
const PARTS = ["timeline", "state", "steps", "of", "subject", "found"];

export function aggregate() {
    const slider = document.getElementById("slider");
    if (!slider) return;
    const [range, number, time] = ["range", "at", "time"].map((id) => document.getElementById(id));
    let waiting = 0;
    let asked = null;

    function go(version, soon = true) {
        version = Math.min(Math.max(Math.round(version) || 1, 1), Number(range.max));
        range.value = version;
        number.value = version;
        clearTimeout(waiting);
        waiting = setTimeout(() => show({ at: version }), soon ? SETTLE_MS : 0);
    }

    // `wanted` is a version or a time, by the parameter's name.
    async function show(wanted) {
        asked?.abort();
        asked = new AbortController();
        const address = new URL(location.href);
        for (const parameter of ["at", "time"]) address.searchParams.delete(parameter);
        for (const [parameter, value] of Object.entries(wanted)) address.searchParams.set(parameter, value);
        const state = document.getElementById("state");
        state.classList.add("busy");
        try {
            const answer = await fetch(address, { signal: asked.signal });
            if (isOver(answer)) return;
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            if (!page.getElementById("state")) return failed(page.querySelector(".lead")?.textContent ?? answer.statusText);
            swap(page, "time" in wanted);
        } catch (error) {
            // the banner says when the server is gone
            if (error.name !== "AbortError") failed("The server can't be reached.");
            return;
        }
        history.replaceState(null, "", address);
        state.classList.remove("busy");
        seen();
    }

    function swap(page, byTime) {
        for (const part of PARTS) replace(part, page);
        for (const field of [range, number, time]) {
            const fresh = page.getElementById(field.id);
            field.max = fresh.max;
            // not what is being moved or typed; a time moves them all
            if (byTime || field !== document.activeElement) field.value = fresh.value;
        }
    }

    function failed(why) {
        const words = document.createElement("span");
        words.className = "wrong";
        words.textContent = `It can't be shown: ${why}`;
        document.getElementById("found").replaceChildren(words);
    }

    // With the keyboard's focus where it was.
    function replace(id, page) {
        const part = document.getElementById(id);
        const focused = part.contains(document.activeElement) && document.activeElement.dataset.step;
        const only = part.querySelector(".only-changes input")?.checked;
        part.replaceChildren(...page.getElementById(id).childNodes);
        if (focused) part.querySelector(`[data-step="${focused}"]`)?.focus();
        const changes = only && part.querySelector(".only-changes input");
        if (changes) changes.checked = true;
    }

    // The event of this version, inside of its list.
    function seen() {
        const list = document.querySelector("#timeline .events");
        const event = list?.querySelector("[aria-current]");
        if (!event || list.scrollHeight <= list.clientHeight) return;
        list.scrollTop = event.offsetTop - list.offsetTop - list.clientHeight / 3;
    }

    const current = () => Number(range.value);
    range.addEventListener("input", () => go(range.value));
    number.addEventListener("input", () => number.value && go(number.value));
    slider.addEventListener("submit", (event) => {
        event.preventDefault();
        go(number.value, false);
    });
    document.getElementById("moment").addEventListener("submit", (event) => {
        event.preventDefault();
        clearTimeout(waiting);
        show({ time: time.value });
    });
    document.addEventListener("click", (event) => {
        const link = event.target.closest("a[data-version]");
        if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        go(Number(link.dataset.version), false);
    });
    document.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog, summary, pre")) return;
        const steps = { ArrowLeft: current() - 1, ArrowRight: current() + 1, Home: 1, End: Number(range.max) };
        if (!(event.key in steps)) return;
        event.preventDefault();
        go(steps[event.key]);
    });
    document.addEventListener("dormouse:acted", () => show({ at: current() }));
    seen();
}
