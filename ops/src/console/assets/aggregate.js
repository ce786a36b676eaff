// The slider of one aggregate: the server renders a version, this asks for it and swaps it in.

const SETTLE_MS = 90; // while the slider moves, only where it rests is asked for

export function aggregate() {
    const slider = document.getElementById("slider");
    if (!slider) return;
    const range = slider.querySelector("input[type=range]");
    const number = slider.querySelector("input[type=number]");
    let waiting = 0;
    let asked = null;

    function go(version, soon = true) {
        version = Math.min(Math.max(Math.round(version) || 1, 1), Number(range.max));
        range.value = version;
        number.value = version;
        clearTimeout(waiting);
        waiting = setTimeout(() => show(version), soon ? SETTLE_MS : 0);
    }

    async function show(version) {
        asked?.abort();
        asked = new AbortController();
        const address = new URL(location.href);
        address.searchParams.set("at", version);
        address.searchParams.delete("time");
        const parts = ["timeline", "state", "steps", "when", "subject"];
        document.getElementById("state").classList.add("busy");
        try {
            const answer = await fetch(address, { signal: asked.signal });
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            if (!page.getElementById("state")) throw new Error(answer.statusText);
            for (const part of parts) replace(part, page);
            range.max = page.querySelector("#slider input[type=range]").max;
            number.max = range.max;
            history.replaceState(null, "", address);
        } catch (error) {
            if (error.name !== "AbortError") document.getElementById("state").classList.add("busy");
            return;
        }
        document.getElementById("state").classList.remove("busy");
        seen();
    }

    // With the keyboard's focus where it was.
    function replace(id, page) {
        const part = document.getElementById(id);
        const focused = part.contains(document.activeElement) && document.activeElement.dataset.step;
        const only = part.querySelector(".only-changes input")?.checked;
        part.replaceChildren(...page.getElementById(id).childNodes);
        if (focused) part.querySelector(`[data-step="${focused}"]`)?.focus();
        if (only) part.querySelector(".only-changes input").checked = true;
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
    document.addEventListener("dormouse:acted", () => show(current()));
    seen();
}
