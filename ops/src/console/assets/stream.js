// Server-sent events by fetch: unlike an EventSource it tells why there are none.

// Calls `heard` with the name and the data of each event. Answers the response's status once there are no more; throws when
// the server can't be reached, or the connection is cut.
export async function events(address, signal, heard) {
    const answer = await fetch(address, { signal, headers: { Accept: "text/event-stream" } });
    if (!answer.ok) return answer.status;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
        const { value, done } = await reader.read();
        if (done) return answer.status;
        const frames = (text + value).split("\n\n");
        text = frames.pop();
        for (const frame of frames) heard(field(frame, "event"), field(frame, "data"));
    }
}

function field(frame, name) {
    const line = frame.split("\n").find((line) => line.startsWith(`${name}: `));
    return line?.slice(name.length + 2) ?? "";
}
