/** Roles of tracks and bars in the plan: read, and changed. Pure. */
import type { BarRole, Cell, Plan, TrackRole } from "../protocol.gen.ts";

export const barRole = (plan: Plan, track: number, bar: number): BarRole | undefined =>
  plan.roles?.[track]?.bars?.[bar];

export const trackRole = (plan: Plan, track: number): TrackRole => plan.roles?.[track]?.track ?? "context";

/** Every bar that has a role of its own. */
export function barRoles(plan: Plan): [track: number, bar: number, role: BarRole][] {
  return Object.entries(plan.roles ?? {}).flatMap(([track, row]) =>
    Object.entries(row.bars ?? {}).map(([bar, role]): [number, number, BarRole] => [
      Number(track),
      Number(bar),
      role,
    ]),
  );
}

/** The plan with a role for some bars; "context", or the role that all of them have already, takes it away. */
export function withBarRole(plan: Plan, cells: readonly Cell[], role: BarRole | "context"): Plan {
  const clears = role === "context" || cells.every(([track, bar]) => barRole(plan, track, bar) === role);
  const roles = structuredClone(plan.roles ?? {});
  for (const [track, bar] of cells) {
    const row = roles[track] ?? {};
    const bars = { ...row.bars };
    if (clears) {
      delete bars[bar];
    } else {
      bars[bar] = role as BarRole;
    }
    roles[track] = { ...row, bars };
  }
  return { roles };
}

/** The plan with a role for whole tracks; the role they all have already takes it away. */
export function withTrackRole(plan: Plan, tracks: readonly number[], role: TrackRole): Plan {
  const clears = tracks.every((track) => trackRole(plan, track) === role);
  const roles = structuredClone(plan.roles ?? {});
  for (const track of tracks) {
    roles[track] = { ...roles[track], track: clears ? "context" : role };
  }
  return { roles };
}
