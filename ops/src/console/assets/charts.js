// Charts of the last minutes, as SVG. What a page has seen it keeps, over a restart of the server too: then there is a gap.
import { decades, label, linear } from "./ticks.js";
import { utc } from "./utc.js";

const SVG = "http://www.w3.org/2000/svg";
const MINUTE_MS = 60_000;
const SPANS = [1, 1.5, 2, 2.5, 3, 4, 5]; // in minutes: the shortest that shows all there is, up to what the server keeps
const GAP_MS = 3_500; // no line across what was not seen
const LEFT = 48;
const BOTTOM = 17;
const TOP = 5;
const RIGHT = 2;

export function charts() {
    const charts = [...document.querySelectorAll(".chart")].map((figure) => new Chart(figure));
    let rows = [];
    let columns = new Map();

    function draw() {
        const now = rows.length ? rows.at(-1)[0] : 0;
        rows = rows.filter((row) => row[0] > now - SPANS.at(-1) * MINUTE_MS - 2_000);
        for (const chart of charts) chart.draw(rows, columns, now);
    }

    const resized = new ResizeObserver(draw);
    for (const chart of charts) resized.observe(chart.plot);
    return {
        history(history) {
            const names = ["time", ...history.series];
            columns = new Map(names.map((name, at) => [name, at]));
            const first = history.rows[0]?.[0] ?? Infinity;
            rows = [...rows.filter((row) => row[0] < first), ...history.rows];
            draw();
        },
        sample(row) {
            if (!row) return;
            rows.push(row);
            draw();
        },
    };
}

function make(parent, name, attributes = {}, text) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
}

class Chart {
    constructor(figure) {
        this.figure = figure;
        this.plot = figure.querySelector(".plot");
        this.names = figure.dataset.series.split(" ");
        this.kind = figure.dataset.kind;
        this.unit = figure.dataset.unit;
        this.pointed = null;
        this.colours = [...figure.querySelectorAll(".legend li")].map((item) => item.className);
        this.plot.addEventListener("pointermove", (event) => this.point(event));
        this.plot.addEventListener("pointerleave", () => this.point(null));
    }

    draw(rows, columns, now) {
        this.last = [rows, columns, now];
        const width = this.plot.clientWidth;
        const height = this.plot.clientHeight;
        const svg = document.createElementNS(SVG, "svg");
        svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
        svg.setAttribute("aria-hidden", "true");
        this.plot.replaceChildren(svg);
        const at = this.names.map((name) => columns.get(name));
        if (!rows.length || at.includes(undefined)) {
            make(svg, "text", { x: width / 2, y: height / 2, "text-anchor": "middle", class: "waiting" }, "no samples yet");
            return;
        }
        const minutes = SPANS.find((span) => now - rows[0][0] <= span * MINUTE_MS) ?? SPANS.at(-1);
        this.x = (time) => LEFT + (width - LEFT - RIGHT) * (1 - (now - time) / (minutes * MINUTE_MS));
        const scale = this.scale(rows, at, height);
        this.axes(svg, scale, width, height);
        this.times(svg, minutes, width, height);
        if (this.kind === "stack") this.stack(svg, rows, at, scale.y);
        else this.lines(svg, rows, at, scale.y, height - BOTTOM);
        this.cross(svg, rows, at, height, width);
    }

    scale(rows, at, height) {
        const room = height - BOTTOM - TOP;
        if (this.kind === "log") {
            const seen = rows.flatMap((row) => at.map((column) => row[column])).filter((value) => value > 0);
            const ticks = seen.length ? decades(Math.min(...seen), Math.max(...seen)) : [1e-3, 1e-2];
            const [low, high] = [Math.log10(ticks[0]), Math.log10(ticks.at(-1))];
            const y = (value) => (value > 0 ? TOP + room * Math.min(1, (high - Math.log10(value)) / (high - low)) : null);
            return { ticks, y };
        }
        const sum = (row) => at.reduce((sum, column) => sum + row[column], 0);
        const most = (row) => Math.max(...at.map((column) => row[column]));
        const max = Math.max(...rows.map(this.kind === "stack" ? sum : most));
        const ticks = linear(max, this.unit);
        const y = (value) => TOP + room * (1 - value / ticks.at(-1));
        return { ticks, y };
    }

    axes(svg, { ticks, y }, width, height) {
        for (const tick of ticks) {
            const line = Math.round(y(tick)) + 0.5;
            make(svg, "line", { x1: LEFT, x2: width - RIGHT, y1: line, y2: line, class: tick === ticks[0] ? "base" : "grid" });
            make(svg, "text", { x: LEFT - 7, y: line + 3.5, "text-anchor": "end" }, label(tick, this.unit));
        }
    }

    times(svg, minutes, width, height) {
        const step = minutes === 1 ? 0.25 : minutes <= 2.5 ? 0.5 : 1;
        for (let back = 0; back < minutes; back += step) {
            const x = LEFT + ((width - LEFT - RIGHT) * (minutes - back)) / minutes;
            const words = step < 1 ? `−${back * 60} s` : `−${back} min`;
            make(svg, "text", { x, y: height - 2, "text-anchor": back ? "middle" : "end" }, back ? words : "now");
        }
    }

    // Pieces without gaps, as [[x, y], ...].
    pieces(rows, value) {
        const pieces = [];
        let piece = null;
        let before = -Infinity;
        for (const row of rows) {
            const y = value(row);
            if (y === null || row[0] - before > GAP_MS) piece = null;
            before = row[0];
            if (y === null) continue;
            if (!piece) pieces.push((piece = []));
            piece.push([this.x(row[0]), y]);
        }
        return pieces;
    }

    lines(svg, rows, at, y, base) {
        for (const [number, column] of at.entries()) {
            const limit = this.kind === "limit" && number === at.length - 1;
            for (const piece of this.pieces(rows, (row) => y(row[column]))) {
                const area = number === 0 && this.kind !== "log";
                if (area) make(svg, "path", { d: `${path(piece)}L${piece.at(-1)[0]} ${base}L${piece[0][0]} ${base}Z`, class: `under ${this.colours[0]}` });
                make(svg, "path", { d: path(piece), class: `curve ${this.colours[number]}${limit ? " limit" : ""}` });
            }
        }
    }

    stack(svg, rows, at, y) {
        const sums = new Map(rows.map((row) => [row, 0]));
        for (const [number, column] of at.entries()) {
            const low = this.pieces(rows, (row) => y(sums.get(row)));
            for (const row of rows) sums.set(row, sums.get(row) + row[column]);
            const high = this.pieces(rows, (row) => y(sums.get(row)));
            for (const [index, piece] of high.entries()) {
                const d = `${path(piece)}${path(low[index].toReversed()).replace("M", "L")}Z`;
                make(svg, "path", { d, class: `area ${this.colours[number]}` });
            }
        }
    }

    point(event) {
        this.pointed = event && event.clientX - this.plot.getBoundingClientRect().left;
        if (this.last) this.draw(...this.last);
    }

    // What the legend showed is shown again when the pointer leaves: the next sample writes it.
    cross(svg, rows, at, height, width) {
        if (this.pointed === null || this.pointed < LEFT) return;
        const distance = (row) => Math.abs(this.x(row[0]) - this.pointed);
        const row = rows.reduce((best, row) => (distance(row) < distance(best) ? row : best));
        const x = this.x(row[0]);
        make(svg, "line", { x1: x, x2: x, y1: TOP, y2: height - BOTTOM, class: "cross" });
        const right = x > width * 0.6;
        const words = at.map((column, number) => `${this.name(number)} ${label(row[column], this.unit)}`);
        const lines = [utc(new Date(row[0])), ...words.filter((_, number) => this.kind !== "stack" || row[at[number]] > 0)];
        const box = make(svg, "g", { class: "seen" });
        const rect = make(box, "rect", { rx: 4 });
        for (const [number, words] of lines.entries()) {
            make(box, "text", { x: x + (right ? -12 : 12), y: TOP + 12 + 14 * number, "text-anchor": right ? "end" : "start" }, words);
        }
        const { x: left, y: top, width: wide, height: high } = box.getBBox();
        const edges = { x: left - 6, y: top - 3, width: wide + 12, height: high + 6 };
        for (const [key, value] of Object.entries(edges)) rect.setAttribute(key, value);
    }

    name(number) {
        return this.figure.querySelectorAll(".legend li > span:first-of-type")[number].textContent;
    }
}

function path(points) {
    return points.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}
