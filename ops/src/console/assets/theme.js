// Light, dark, or as the system has it: set before anything is drawn, remembered in this browser.
"use strict";
(() => {
    const KEY = "dormouse-theme";
    const root = document.documentElement;

    function remembered() {
        try {
            return localStorage.getItem(KEY) || "";
        } catch {
            return ""; // storage is forbidden: it follows the system
        }
    }

    function show(theme) {
        if (theme) root.dataset.theme = theme;
        else delete root.dataset.theme;
    }

    // From what is seen now to the other one, and back to the system's when that is the same.
    window.dormouseTheme = () => {
        const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
        const other = (remembered() || system) === "dark" ? "light" : "dark";
        const chosen = other === system ? "" : other;
        try {
            localStorage.setItem(KEY, chosen);
        } catch {
            // it holds for this page only
        }
        show(chosen);
    };

    show(remembered());
})();
