/** One tab stop for a group of buttons and choices; arrow keys move inside it. */

type Stop = HTMLButtonElement | HTMLSelectElement;

const stopsIn = (group: HTMLElement): Stop[] => [...group.querySelectorAll<Stop>("button, select")];
const usable = (stop: Stop): boolean => !stop.disabled && !stop.closest("[hidden]");

/** `perRow`: buttons in one row of the group, for arrows up and down; 0: one row only. */
export function rovingFocus(group: HTMLElement, perRow: number, signal?: AbortSignal): void {
  const steps: Readonly<Record<string, number>> = {
    ArrowRight: 1,
    ArrowLeft: -1,
    ...(perRow > 0 ? { ArrowDown: perRow, ArrowUp: -perRow } : {}),
  };
  group.addEventListener(
    "keydown",
    (event) => {
      const step = steps[event.key];
      const list = stopsIn(group).filter(usable);
      const at = list.indexOf(event.target as Stop);
      // Alt and an arrow belong to the browser, or open a choice.
      if (step !== undefined && at >= 0 && !event.altKey) {
        list[(at + step + list.length) % list.length]?.focus();
        event.preventDefault();
        event.stopPropagation();
      }
    },
    { signal },
  );
  group.addEventListener(
    "focusin",
    (event) => {
      for (const stop of stopsIn(group)) {
        stop.tabIndex = stop === event.target ? 0 : -1;
      }
    },
    { signal },
  );
}

/** After some were added: exactly one of them can be reached with Tab. */
export function settleTabStop(group: HTMLElement): void {
  const stops = stopsIn(group);
  const chosen = stops.find((stop) => stop.tabIndex === 0 && usable(stop)) ?? stops.find(usable);
  for (const stop of stops) {
    stop.tabIndex = stop === chosen ? 0 : -1;
  }
}
