/** TABLE: the tools of the roll, in the order of their keys 1 to 5. */
import type { IconName } from "../dom.ts";
import { strings } from "../strings.ts";

export type Tool = "select" | "draw" | "erase" | "velocity" | "bars";

export interface ToolInfo {
  tool: Tool;
  key: string;
  icon: IconName;
  label: string;
  hint: string;
}

export const TOOLS: readonly ToolInfo[] = [
  { tool: "select", key: "1", icon: "pointer", label: strings.toolSelect, hint: strings.toolSelectHint },
  { tool: "draw", key: "2", icon: "pencil", label: strings.toolDraw, hint: strings.toolDrawHint },
  { tool: "erase", key: "3", icon: "eraser", label: strings.toolErase, hint: strings.toolEraseHint },
  {
    tool: "velocity",
    key: "4",
    icon: "velocity",
    label: strings.toolVelocity,
    hint: strings.toolVelocityHint,
  },
  { tool: "bars", key: "5", icon: "bars", label: strings.toolBars, hint: strings.toolBarsHint },
];

/** The tool one starts with, and comes back to with Escape: choosing bars is what this roll is for. */
export const HOME_TOOL: Tool = "bars";
