/** Menu pages of playing: speed, how the view follows. And what the toolbar has no room for. */
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import { FOLLOW, SPEEDS } from "../transport.ts";
import type { MenuItem, MenuPage } from "./menu.ts";

export function transportItems(store: Store): MenuItem[] {
  return [
    { label: strings.speed, testid: "mgnb-more-speed", page: () => speedPage(store) },
    { label: strings.follow, testid: "mgnb-more-follow", page: () => followPage(store) },
  ];
}

function speedPage(store: Store): MenuPage {
  const now = store.player.rate;
  const items = SPEEDS.map(
    (factor): MenuItem => ({
      label: strings.speedOf(factor),
      testid: `mgnb-speed-${factor}`,
      checked: factor === now,
      run: () => store.save("tempo_factor", factor),
    }),
  );
  const other: MenuItem = {
    label: strings.speedOther,
    testid: "mgnb-speed-other",
    page: () => ({
      label: strings.speedField,
      field: {
        type: "number",
        value: String(Math.round(now * 100)),
        min: 25,
        max: 200,
        commit: (text) => {
          const factor = Number(text) / 100;
          if (factor >= 0.25 && factor <= 2) {
            store.save("tempo_factor", factor);
          }
        },
      },
    }),
  };
  return { label: strings.speed, items: [...items, null, other] };
}

function followPage(store: Store): MenuPage {
  const now = store.get("follow") ?? "page";
  return {
    label: strings.follow,
    items: FOLLOW.map((mode) => ({
      label: strings.followModes[mode],
      testid: `mgnb-follow-${mode}`,
      checked: mode === now,
      run: () => store.save("follow", mode),
    })),
  };
}

/** What the toolbar folded away, as items that press it. */
export function foldedItems(folded: readonly HTMLElement[]): (MenuItem | null)[] {
  const items: (MenuItem | null)[] = [];
  for (const group of folded) {
    const controls = [...group.querySelectorAll<HTMLButtonElement | HTMLSelectElement>("button, select")];
    const shown = controls.filter((control) => !hiddenInside(control, group));
    // Lines stand around groups, not between single buttons.
    const line = shown.length > 1 ? [null] : [];
    items.push(...(items[items.length - 1] === null ? [] : line), ...shown.map(asItem), ...line);
  }
  const ends = items.length > 0 && items[items.length - 1] !== null ? [null] : [];
  return [...items.slice(items[0] === null ? 1 : 0), ...ends];
}

/** Hidden by itself, not because its group is folded. */
function hiddenInside(control: HTMLElement, group: HTMLElement): boolean {
  const cause = control.closest<HTMLElement>("[hidden]");
  return cause !== null && cause !== group && group.contains(cause);
}

function asItem(control: HTMLButtonElement | HTMLSelectElement): MenuItem {
  const label = control.getAttribute("aria-label") || control.textContent?.trim() || control.title;
  const testid = `${control.dataset["testid"]}-more`;
  if (control instanceof HTMLSelectElement) {
    const options = [...control.options];
    const choose = (value: string): void => {
      control.value = value;
      control.dispatchEvent(new Event("change", { bubbles: true }));
    };
    const items = options.map(({ text, value }) => ({
      label: text,
      testid: `${testid}-${value}`,
      checked: value === control.value,
      run: () => choose(value),
    }));
    return { label, testid, page: () => ({ label, items }) };
  }
  const pressed = control.getAttribute("aria-pressed") ?? control.getAttribute("aria-expanded");
  const toggles = pressed !== null && !control.hasAttribute("aria-haspopup");
  return {
    label,
    testid,
    disabled: control.disabled || control.ariaDisabled === "true",
    ...(toggles ? { checked: pressed === "true", several: true } : {}),
    run: () => control.click(),
  };
}
