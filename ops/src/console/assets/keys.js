// What can be pressed; the list under `?` names it all.

const GO_MS = 1_200; // after `g`, the place's key

export function keys() {
    const list = document.getElementById("keys");
    let going = 0;
    document.querySelector("[data-theme-button]").addEventListener("click", () => window.dormouseTheme());
    document.querySelector("[data-keys-button]").addEventListener("click", () => list.showModal());
    document.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.target.closest("input, select, textarea, dialog")) {
            if (event.key === "Escape" && event.target.matches("input")) event.target.blur();
            return;
        }
        if (Date.now() - going < GO_MS) {
            going = 0;
            document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`)?.click();
            return;
        }
        switch (event.key) {
            case "g": going = Date.now(); break;
            case "t": window.dormouseTheme(); break;
            case "?": list.showModal(); break;
            case "/": search(event); break;
            case "w": when(event); break;
        }
    });
}

function search(event) {
    event.preventDefault();
    const field = document.querySelector("[data-search]");
    if (field) field.select();
    else location.assign(`${document.documentElement.dataset.base}/aggregates?find`);
}

// The field for a time, on the page of one aggregate.
function when(event) {
    const field = document.getElementById("time");
    if (!field) return;
    event.preventDefault();
    field.select();
}
