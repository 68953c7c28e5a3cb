/** Entry of the bundle: one store per model, one view per place where the widget is shown. */
import type { HostModel } from "./model.ts";
import { Store } from "./store.ts";
import { RollView } from "./view.ts";

interface RenderProps {
  model: HostModel;
  el: HTMLElement;
  signal?: AbortSignal;
}

/** A host calls this once per widget; what it returns shares the store between the widget's views. */
export default function widget(): {
  initialize(props: { model: HostModel; signal?: AbortSignal }): () => void;
  render(props: RenderProps): () => void;
} {
  // Hosts hand out a new model proxy for every call: the store is found by something that stays the same.
  const stores = new Map<unknown, { store: Store; views: number; kept: boolean }>();

  const drop = (key: unknown): void => {
    const entry = stores.get(key);
    if (entry && !entry.kept && entry.views === 0) {
      stores.delete(key);
      entry.store.dispose();
    }
  };
  const open = (model: HostModel): { store: Store; views: number; kept: boolean } => {
    const key = identity(model);
    let entry = stores.get(key);
    if (!entry) {
      entry = { store: new Store(model), views: 0, kept: false };
      stores.set(key, entry);
    }
    return entry;
  };

  return {
    initialize: ({ model }) => {
      const entry = open(model);
      entry.kept = true;
      return () => {
        entry.kept = false;
        drop(identity(model));
      };
    },
    render: ({ model, el, signal }) => {
      const entry = open(model);
      entry.views += 1;
      const view = new RollView(entry.store, el);
      let open_ = true;
      const close = (): void => {
        if (open_) {
          open_ = false;
          view.dispose();
          entry.views -= 1;
          drop(identity(model));
        }
      };
      signal?.addEventListener("abort", close, { once: true });
      return close;
    },
  };
}

/** The layout model belongs to exactly one widget; pages without it (the export) have one model object. */
function identity(model: HostModel): unknown {
  const layout = (model.get as (key: string) => unknown)("layout");
  return layout ?? model;
}
