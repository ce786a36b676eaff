// Where an axis has its lines, and what stands beside them.

const SECONDS = [[1e-9, "ns"], [1e-6, "µs"], [1e-3, "ms"], [1, "s"]];
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];

export function label(value, unit) {
    if (value === 0) return "0";
    if (unit === "seconds") {
        const [one, name] = SECONDS.findLast(([one]) => value >= one * 0.9995) ?? SECONDS[0];
        return `${short(value / one)} ${name}`;
    }
    if (unit === "bytes") {
        let at = 0;
        while (value >= 1000 && at + 1 < BYTES.length) {
            value /= 1024;
            at += 1;
        }
        return `${short(value)} ${BYTES[at]}`;
    }
    return short(value);
}

function short(value) {
    if (value >= 1e6) return `${round(value / 1e6)} M`;
    if (value >= 1e4) return `${round(value / 1e3)} k`;
    return Math.round(value) === value ? value.toLocaleString("en") : String(round(value));
}

function round(value) {
    return Number(value.toPrecision(3));
}

// From zero, three or four lines at round values: 1, 2, 5 and their tenfolds, or powers of two for bytes.
export function linear(max, unit) {
    const top = max > 0 ? max : 1;
    const step = unit === "bytes" ? 2 ** Math.ceil(Math.log2(top / 4)) : roundStep(top / 3.2);
    const ticks = [];
    for (let at = 0; at <= top + step * 0.999; at += step) ticks.push(at);
    return ticks;
}

function roundStep(rough) {
    const power = 10 ** Math.floor(Math.log10(rough));
    return power * ([1, 2, 5].find((step) => step * power >= rough) ?? 10);
}

// Whole powers of ten around what there is, two at least.
export function decades(min, max) {
    let low = Math.floor(Math.log10(min) + 1e-9);
    const high = Math.max(Math.ceil(Math.log10(max) - 1e-9), low + 1);
    low = Math.max(low, high - 5);
    return Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at));
}
