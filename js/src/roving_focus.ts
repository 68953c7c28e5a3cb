/** One tab stop for a group of buttons; arrow keys move inside it. */

/** `perRow`: buttons in one row of the group, for arrows up and down; 0: one row only. */
export function rovingFocus(group: HTMLElement, perRow: number, signal?: AbortSignal): void {
  const stops = (): HTMLButtonElement[] =>
    [...group.querySelectorAll<HTMLButtonElement>("button")].filter(
      (button) => !button.disabled && !button.closest("[hidden]"),
    );
  const steps: Readonly<Record<string, number>> = {
    ArrowRight: 1,
    ArrowLeft: -1,
    ...(perRow > 0 ? { ArrowDown: perRow, ArrowUp: -perRow } : {}),
  };
  group.addEventListener(
    "keydown",
    (event) => {
      const step = steps[event.key];
      const list = stops();
      const at = list.indexOf(event.target as HTMLButtonElement);
      if (step !== undefined && at >= 0) {
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
      for (const button of group.querySelectorAll("button")) {
        button.tabIndex = button === event.target ? 0 : -1;
      }
    },
    { signal },
  );
}

/** After buttons were added: exactly one of them can be reached with Tab. */
export function settleTabStop(group: HTMLElement): void {
  const buttons = [...group.querySelectorAll<HTMLButtonElement>("button")];
  const usable = (button: HTMLButtonElement): boolean => !button.disabled && !button.closest("[hidden]");
  const stop = buttons.find((button) => button.tabIndex === 0 && usable(button)) ?? buttons.find(usable);
  for (const button of buttons) {
    button.tabIndex = button === stop ? 0 : -1;
  }
}
