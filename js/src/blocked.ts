/** Why Generate is off right now, or "" when it is on. */
import type { Store } from "./store.ts";
import { strings } from "./strings.ts";

export function blockedReason(store: Store): string {
  if (store.connection.viewOnly) {
    return strings.lost[store.connection.lost].title;
  }
  if (store.get("readonly")) {
    return strings.readonly;
  }
  if (store.caps.unavailable) {
    return store.caps.unavailable;
  }
  if (!store.canGenerate) {
    return strings.noEngine;
  }
  if (!store.document || store.bars.n === 0) {
    return strings.noDocument;
  }
  if (store.running) {
    return strings.busy;
  }
  return store.targets.size === 0 ? strings.nothingSelected : store.outlook.refused;
}
