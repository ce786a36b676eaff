// Times of day, in UTC like all others here: `14:05:31 UTC`.

export function utc(date) {
    return `${date.toISOString().slice(11, 19)} UTC`;
}
