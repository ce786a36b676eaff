// Values and charts, kept up to date by server-sent events. When they stop coming the page says so, and tries again; when the
// session is over it says that, and leads to the login.
import { events } from "./stream.js";
import { utc } from "./utc.js";

const SILENCE_MS = 5_000; // a sample comes every second
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8_000;
const UNAUTHORIZED = 401;

export function watch(charts) {
    const root = document.documentElement;
    const [offline, ended] = ["offline", "ended"].map((id) => document.getElementById(id));
    const connection = { up: true };
    let stream = null;
    let silence = 0;
    let retry = 0;
    let retryMs = RETRY_FIRST_MS;
    let heard = new Date();

    async function connect() {
        letGo();
        const mine = (stream = new AbortController());
        listen();
        let status = 0;
        try {
            status = await events(`${root.dataset.base}/live`, mine.signal, take);
        } catch {
            // out of reach, or cut off
        }
        if (mine !== stream) return; // let go of, or another one took its place
        if (status === UNAUTHORIZED) over();
        else if (retryMs === RETRY_FIRST_MS) again(); // once without a word: the session may be over, or the page be left
        else down();
    }

    function take(event, data) {
        const news = JSON.parse(data);
        if (event === "history" && news.folder !== root.dataset.folder) return renew();
        up();
        if (event === "history") charts.history(news);
        else charts.sample(news.row);
        show(news);
    }

    function letGo() {
        clearTimeout(silence);
        clearTimeout(retry);
        stream?.abort();
        stream = null;
    }

    function listen() {
        clearTimeout(silence);
        silence = setTimeout(down, SILENCE_MS);
    }

    function up() {
        heard = new Date();
        retryMs = RETRY_FIRST_MS;
        listen();
        if (connection.up) return;
        connection.up = true;
        offline.hidden = ended.hidden = true;
        document.body.classList.remove("stale");
        document.dispatchEvent(new Event("dormouse:reconnected"));
    }

    function again() {
        clearTimeout(retry);
        retry = setTimeout(connect, retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }

    function down() {
        letGo();
        const seconds = Math.max(1, Math.round(retryMs / 1000));
        stale(offline, "Disconnected", `Next try in ${seconds} s.`);
        again();
    }

    // Somebody who logs in on another page comes back to this one: then it goes on.
    function over() {
        letGo();
        const here = location.pathname + location.search;
        ended.querySelector("a").href = `${root.dataset.base}/login?to=${encodeURIComponent(here)}`;
        stale(ended, "Logged out", "");
    }

    function stale(banner, word, more) {
        connection.up = false;
        document.body.classList.add("stale");
        for (const other of [offline, ended]) other.hidden = other !== banner;
        banner.querySelector("span").textContent = `What you see is from ${utc(heard)}. ${more}`;
        const standing = document.getElementById("standing");
        standing.dataset.kind = "lost";
        standing.querySelector("span").textContent = word;
    }

    // The server is of another build: so are its pages and scripts.
    function renew() {
        letGo();
        location.reload();
    }

    offline.querySelector("button").addEventListener("click", connect);
    addEventListener("online", connect);
    document.addEventListener("dormouse:ended", over);
    // A page out of sight holds no connection; browsers open few to one host.
    addEventListener("pagehide", letGo);
    document.addEventListener("visibilitychange", () => (document.hidden ? letGo() : connect()));
    if (!document.hidden) connect();
    return connection;
}

// Whether an answer was refused because the session is over: then the page says so.
export function isOver(answer) {
    const over = answer.status === UNAUTHORIZED;
    if (over) document.dispatchEvent(new Event("dormouse:ended"));
    return over;
}

function show({ standing, figures }) {
    if (Object.keys(figures).length && document.querySelector("[data-until-open]")) return location.reload();
    for (const element of document.querySelectorAll("[data-live]")) {
        const text = figures[element.dataset.live] ?? "–";
        if (element.textContent === text) continue;
        element.textContent = text;
        element.classList.toggle("fault", "fault" in element.dataset && !["0", "–"].includes(text));
    }
    const pill = document.getElementById("standing");
    pill.dataset.kind = standing.kind;
    pill.title = standing.reason;
    pill.querySelector("span").textContent = standing.word;
    const trouble = document.getElementById("trouble");
    trouble.hidden = standing.kind !== "bad";
    for (const line of document.querySelectorAll("[data-standing-line], #trouble")) {
        line.dataset.kind = standing.kind;
        line.querySelector("strong").textContent = standing.word;
        line.querySelector("span").textContent = standing.reason;
    }
}
