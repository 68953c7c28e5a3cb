/** Entry of the bundle: one store per model, one view per place where the widget is shown. */
import type { HostModel } from "./model.ts";
import { offerRoll, type RollKey, whenOffered } from "./rolls.ts";
import { Store } from "./store.ts";
import { strings } from "./strings.ts";
import { RollView } from "./view.ts";

interface RenderProps {
  model: HostModel;
  el: HTMLElement;
  signal?: AbortSignal;
}

interface Open {
  store: Store;
  views: number;
  kept: boolean;
  takeBack(): void;
}

/** A host calls this once per widget; what it returns shares the store between the widget's views. */
export default function widget(): {
  initialize(props: { model: HostModel; signal?: AbortSignal }): () => void;
  render(props: RenderProps): () => void;
} {
  // Hosts hand out a new model proxy for every call: the store is found by something that stays the same.
  const stores = new Map<RollKey, Open>();

  const drop = (key: RollKey): void => {
    const entry = stores.get(key);
    if (entry && !entry.kept && entry.views === 0) {
      stores.delete(key);
      entry.takeBack();
      entry.store.dispose();
    }
  };
  const open = (model: HostModel): Open => {
    const key = identity(model);
    let entry = stores.get(key);
    if (!entry) {
      const takeBack = offerRoll(key, (el) => show(model, el, true));
      entry = { store: new Store(model), views: 0, kept: false, takeBack };
      stores.set(key, entry);
    }
    return entry;
  };
  const show = (model: HostModel, el: HTMLElement, asPanel: boolean): (() => void) => {
    const entry = open(model);
    entry.views += 1;
    const view = new RollView(entry.store, el, asPanel);
    return once(() => {
      view.dispose();
      entry.views -= 1;
      drop(identity(model));
    });
  };

  /** The roll itself shows a view of it here: both share one store, whatever is set in either. */
  const showPanel = (model: HostModel, id: string, el: HTMLElement): (() => void) => {
    const manager = model.widget_manager as { get_model?(id: string): Promise<HostModel> } | undefined;
    let ended = false;
    let close = (): void => {};
    const found = manager?.get_model?.(id) ?? Promise.reject(new Error("no way to the roll"));
    found.then(
      (roll) => {
        if (!ended) {
          close = whenOffered(identity(roll), el, () => show(roll, el, true));
        }
      },
      () => {
        el.textContent = strings.panelAlone; // a saved notebook without that roll, or a host without its model
      },
    );
    return once(() => {
      ended = true;
      close();
    });
  };

  return {
    initialize: ({ model }) => {
      if (rollOf(model)) {
        return () => {};
      }
      const entry = open(model);
      entry.kept = true;
      return () => {
        entry.kept = false;
        drop(identity(model));
      };
    },
    render: ({ model, el, signal }) => {
      const other = rollOf(model);
      const close = other ? showPanel(model, other, el) : show(model, el, false);
      signal?.addEventListener("abort", close, { once: true });
      return close;
    },
  };
}

/** The layout belongs to exactly one widget (marimo has its name alone); pages without it have one model object. */
function identity(model: HostModel): RollKey {
  const layout = (model.get as (key: string) => unknown)("layout");
  return (typeof layout === "object" && layout) || (typeof layout === "string" && layout) || model;
}

/** Of a panel: the id of the roll whose wishes it shows. */
function rollOf(model: HostModel): string {
  const name = (model.get as (key: string) => unknown)("_roll");
  return typeof name === "string" ? name.replace("IPY_MODEL_", "") : "";
}

function once(action: () => void): () => void {
  let open = true;
  return () => {
    if (open) {
      open = false;
      action();
    }
  };
}
