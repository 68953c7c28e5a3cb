// Stands in for the browser's MIDI access: two ports whose messages the test reads and writes.
(() => {
  const port = (id, name, type) => Object.assign(new EventTarget(), { id, name, type, manufacturer: "", state: "connected" });
  const output = port("out", "Test Synth", "output");
  const input = port("in", "Test Keys", "input");
  const midi = { asked: 0, refuse: false, sent: [], dropped: 0, output, input };
  output.send = (data, at) => midi.sent.push({ data: [...data], at: at ?? performance.now(), now: performance.now() });
  output.clear = () => {
    const now = performance.now();
    const before = midi.sent.length;
    midi.sent = midi.sent.filter((m) => m.at <= now);
    midi.dropped += before - midi.sent.length;
  };
  const access = Object.assign(new EventTarget(), {
    inputs: new Map([["in", input]]),
    outputs: new Map([["out", output]]),
    sysexEnabled: false,
  });
  midi.play = (data) => {
    const event = new Event("midimessage");
    Object.defineProperty(event, "data", { value: new Uint8Array(data) });
    input.dispatchEvent(event);
  };
  midi.unplug = (one) => {
    one.state = "disconnected";
    access.dispatchEvent(new Event("statechange"));
  };
  navigator.requestMIDIAccess = async (options) => {
    midi.asked += 1;
    if (midi.refuse || options?.sysex) {
      throw new DOMException("refused", "NotAllowedError");
    }
    return access;
  };
  window.midi = midi;
})();
