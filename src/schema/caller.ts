/** Schema of the caller, as a server knows it. */
import { z } from 'zod';

/**
 * `admin` may do everything with all evaluations; `submit` submits, and sees and ends its own;
 * `read` reads its own and what is shared, lists and metrics, and changes nothing.
 */
export const roles = ['admin', 'submit', 'read'] as const;
export type Role = (typeof roles)[number];

export const callerSchema = z
  .object({
    label: z
      .string()
      .nullable()
      .describe('Label of the API key, which `submittedBy` of its evaluations says; null without.'),
    role: z
      .enum(roles)
      .describe(
        '`admin`: everything with all evaluations; `submit`: submits, sees and ends its own; ' +
          '`read`: reads alone. Without keys `admin`.',
      ),
  })
  .meta({ id: 'Caller' });

export type Caller = z.infer<typeof callerSchema>;
