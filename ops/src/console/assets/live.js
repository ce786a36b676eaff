// Values and charts, kept up to date by server-sent events. When they stop coming the page says so, and tries again.

const SILENCE_MS = 5_000; // a sample comes every second
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8_000;

export function watch(charts) {
    const root = document.documentElement;
    const banner = document.getElementById("offline");
    const connection = { up: true };
    let source = null;
    let silence = 0;
    let retry = 0;
    let retryMs = RETRY_FIRST_MS;
    let heard = new Date();

    function connect() {
        clearTimeout(retry);
        source?.close();
        source = new EventSource(`${root.dataset.base}/live`);
        source.addEventListener("history", (event) => {
            const history = JSON.parse(event.data);
            if (history.folder !== root.dataset.folder) return renew();
            up();
            charts.history(history);
            show(history);
        });
        source.addEventListener("sample", (event) => {
            const sample = JSON.parse(event.data);
            up();
            charts.sample(sample.row);
            show(sample);
        });
        source.onerror = down;
        listen();
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
        banner.hidden = true;
        document.body.classList.remove("stale");
        document.dispatchEvent(new Event("dormouse:reconnected"));
    }

    function down() {
        clearTimeout(silence);
        source?.close();
        source = null;
        connection.up = false;
        document.body.classList.add("stale");
        const seconds = Math.max(1, Math.round(retryMs / 1000));
        banner.querySelector("span").textContent =
            `What you see is from ${heard.toLocaleTimeString()}. Next try in ${seconds} s.`;
        banner.hidden = false;
        const standing = document.getElementById("standing");
        standing.dataset.kind = "lost";
        standing.querySelector("span").textContent = "Disconnected";
        clearTimeout(retry);
        retry = setTimeout(connect, retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }

    // The server is of another build: so are its pages and scripts.
    function renew() {
        source.close();
        clearTimeout(silence);
        location.reload();
    }

    banner.querySelector("button").addEventListener("click", connect);
    addEventListener("online", connect);
    // A page out of sight holds no connection; browsers open few to one host.
    document.addEventListener("visibilitychange", () => {
        if (document.hidden) {
            clearTimeout(silence);
            clearTimeout(retry);
            source?.close();
        } else {
            connect();
        }
    });
    if (!document.hidden) connect();
    return connection;
}

function show({ standing, figures }) {
    for (const element of document.querySelectorAll("[data-live]")) {
        const text = figures[element.dataset.live] ?? "–";
        if (element.textContent !== text) element.textContent = text;
    }
    const pill = document.getElementById("standing");
    pill.dataset.kind = standing.kind;
    pill.title = standing.reason;
    pill.querySelector("span").textContent = standing.word;
    const line = document.querySelector("[data-standing-line]");
    if (!line) return;
    line.dataset.kind = standing.kind;
    line.querySelector("strong").textContent = standing.word;
    line.querySelector("span").textContent = standing.reason;
}
