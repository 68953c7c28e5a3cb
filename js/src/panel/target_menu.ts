/** The menu of roles: what the selected bars and tracks are to the model, and what it will see. */
import type { BarRole, TrackRole } from "../protocol.gen.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import { barRole, trackRole, withBarRole, withTrackRole } from "../takes/roles.ts";
import type { MenuItem, MenuPage } from "./menu.ts";

const BARS: readonly (BarRole | "context")[] = ["context", "generate", "hidden", "locked"];
const TRACKS: readonly TrackRole[] = ["ignore", "continue"];

export function targetPage(store: Store): MenuPage {
  const plan = store.get("plan") ?? {};
  const cells = store.selection.cells();
  const tracks = store.selection.tracks();
  const none = cells.length === 0;
  const bars = BARS.map(
    (role): MenuItem => ({
      label: strings.barRoles[role],
      testid: `mgnb-role-${role}`,
      disabled: none,
      checked: !none && cells.every(([track, bar]) => (barRole(plan, track, bar) ?? "context") === role),
      run: () => store.save("plan", withBarRole(plan, cells, role)),
    }),
  );
  const whole = TRACKS.map(
    (role): MenuItem => ({
      label: strings.trackRoles[role],
      testid: `mgnb-role-${role}`,
      disabled: none,
      several: true,
      checked: !none && tracks.every((track) => trackRole(plan, track) === role),
      run: () => store.save("plan", withTrackRole(plan, tracks, role)),
    }),
  );
  const { outlook } = store;
  const seen: MenuItem = {
    label: strings.sees,
    testid: "mgnb-sees-toggle",
    several: true,
    checked: outlook.shown !== null,
    run: () => outlook.show(outlook.shown === null ? 0 : null),
  };
  return {
    label: none ? strings.nothingSelected : strings.targetsHint,
    items: [...bars, null, ...whole, null, seen],
  };
}
