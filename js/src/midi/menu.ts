/** MIDI devices in the menu of files, and the button that arms recording. */
import type { DeskHost } from "../desk/entry.ts";
import { h, setAttr } from "../dom.ts";
import type { MenuItem, MenuPage, Menus } from "../panel/menu.ts";
import { settleTabStop } from "../roving_focus.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import { connected, midiKnown, openMidi, portName } from "./devices.ts";
import { MidiSession } from "./session.ts";

const sessions = /* @__PURE__ */ new WeakMap<Store, MidiSession>();

function sessionOf(store: Store): MidiSession {
  const session = sessions.get(store) ?? new MidiSession(store);
  sessions.set(store, session);
  return session;
}

export interface MidiMenu {
  /** Opens the page of devices; asks for permission the first time. */
  item(opener: HTMLElement): MenuItem;
}

export function makeMidiMenu(host: DeskHost, menus: Menus): MidiMenu {
  const { store, root } = host;
  const session = sessionOf(store);
  const record = h("button", {
    class: "mgnb-button mgnb-tool mgnb-record",
    title: strings.midiRecordHint,
    testid: "mgnb-record",
    text: "●",
    attrs: { type: "button", "aria-label": strings.midiRecord, "aria-pressed": "false" },
    on: { click: () => session.toggle(host) },
  });
  record.hidden = true;
  const toolbar = root.querySelector<HTMLElement>(".mgnb-toolbar");
  toolbar?.querySelector(".mgnb-group")?.append(record);
  const update = (): void => {
    record.hidden = session.input === null;
    setAttr(record, "aria-pressed", String(session.armed));
    record.classList.toggle("mgnb-on", session.armed);
    if (toolbar) {
      settleTabStop(toolbar);
    }
  };
  session.listeners.add(update);
  host.signal.addEventListener(
    "abort",
    () => {
      session.listeners.delete(update);
      session.leave(host);
    },
    { once: true },
  );
  update();

  const choice = (label: string, testid: string, checked: boolean, run: () => void): MenuItem => ({
    label,
    testid,
    checked,
    run,
  });
  const page = (access: MIDIAccess): MenuPage => ({
    label: strings.midi,
    items: [
      choice(strings.midiOwnSound, "mgnb-midi-out-own", !session.output, () => session.playTo(null, host)),
      ...connected(access.outputs).map((port, i) =>
        choice(strings.midiPlayTo(portName(port)), `mgnb-midi-out-${i}`, session.output === port, () =>
          session.playTo(port, host),
        ),
      ),
      null,
      choice(strings.midiNoKeyboard, "mgnb-midi-in-none", !session.input, () => session.listenTo(null, host)),
      ...connected(access.inputs).map((port, i) =>
        choice(strings.midiListenTo(portName(port)), `mgnb-midi-in-${i}`, session.input === port, () =>
          session.listenTo(port, host),
        ),
      ),
    ],
  });
  const open = async (opener: HTMLElement): Promise<void> => {
    try {
      const access = await openMidi();
      session.follow(access);
      menus.open(page(access), opener);
    } catch {
      store.fail({ code: "midi", message: strings.midiRefused, hint: strings.midiRefusedHint });
    }
  };
  return {
    item: (opener) => ({
      label: midiKnown() ? strings.midiDevices : strings.midiUnknown,
      testid: "mgnb-midi",
      disabled: !midiKnown(),
      run: () => void open(opener),
    }),
  };
}
