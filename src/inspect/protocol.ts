/** Messages between inspect.ts and its child process, over Node's IPC channel. */
import { z } from 'zod';
import { pathTableSchema, serializedErrorSchema } from '../evaluation/request/path-table.js';

/** Real paths of the folders that may be read. */
const within = z.array(z.string());

/** Whether each answer is sent as it comes, as a part; the last message is then empty. */
const isEach = z.boolean().optional();

export const toInspectorSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('validate'), input: z.unknown(), paths: pathTableSchema }),
  z.object({ type: z.literal('checkpoints'), paths: z.array(z.string()), within, isEach }),
  z.object({
    type: z.literal('find'),
    patterns: z.array(
      z.object({
        /** Value of `checkpoints`. */
        typed: z.string(),
        /** Where its part before the first wildcard lies. */
        real: z.string(),
        within,
      }),
    ),
  }),
  z.object({ type: z.literal('models'), paths: z.array(z.string()), within, isEach }),
]);
export type ToInspector = z.infer<typeof toInspectorSchema>;

export const partSchema = z.object({ part: z.number(), answer: z.unknown() });

export const fromInspectorSchema = z.union([
  z.object({ ok: z.unknown() }),
  z.object({ error: serializedErrorSchema }),
]);
