/**
 * Decisions of the first process that computes a group of SAEs, for all: how much is computed at
 * once, on which kind of machine, and what the result will say of the run.
 */
import { z } from 'zod';
import { decisionsSchema, type Decisions } from '../run/journal.js';
import type { MachineKind } from '../run/inputs.js';
import type { RunFacts } from '../result/facts.js';

export const decidedFormat = 'sae-eval decisions';

export const machineKindSchema = z.object({
  device: z.string(),
  version: z.string(),
  versions: z.record(z.string(), z.union([z.string(), z.boolean()])),
  processor: z.string(),
  instructions: z.string(),
});

export const decidedSchema = z.object({
  format: z.literal(decidedFormat),
  version: z.literal(1),
  plan: z.string(),
  group: z.number().int().nonnegative(),
  machine: machineKindSchema,
  decisions: decisionsSchema,
  /** Indices of the SAEs whose skip connections the first texts turned. */
  turnedSkips: z.array(z.number().int().nonnegative()),
  /** Work of a sample that is only measured, as a part of that of one that is spliced. */
  measuredWork: z.number().min(0).max(1).optional(),
  /** Written by this version of the package, and read by no other. */
  facts: z.custom<RunFacts>((value) => typeof value === 'object' && value !== null),
});

export interface Decided {
  plan: string;
  group: number;
  machine: MachineKind;
  decisions: Decisions;
  turnedSkips: number[];
  measuredWork?: number | undefined;
  facts: RunFacts;
}

/** A kind of machine in one line, with all that tells it from another. */
export function machineInWords({
  device,
  version,
  versions,
  processor,
  instructions,
}: MachineKind): string {
  const where =
    device === 'cpu' ? `${processor} (${instructions || 'instructions unknown'})` : device;
  const built = Object.entries(versions)
    .filter(([, value]) => value !== false)
    .map(([name, value]) => (value === true ? name : `${name} ${value}`));
  return [where, `sae-eval ${version}`, ...built].join(', ');
}
