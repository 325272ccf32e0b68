/** `sae-eval keys add`: prints a new API key once and stores its hash. */
import { addKey, type NewKey } from '../../../server/auth/key-file.js';
import { SaeEvalError } from '../../errors.js';

export interface KeyFlags {
  apiKeys: string;
  role: NonNullable<NewKey['role']>;
  days?: string;
}

export async function addKeyCommand(
  label: string,
  { apiKeys, role, days }: KeyFlags,
): Promise<void> {
  const number = days === undefined ? undefined : Number(days);
  if (number !== undefined && !(number > 0 && number <= 36_500))
    throw new SaeEvalError(
      'request-invalid',
      `--days: expected a number of days from 1 to 36500, found ${days}`,
    );
  const key = addKey({
    file: apiKeys,
    label,
    role,
    ...(number === undefined ? {} : { days: number }),
  });
  process.stdout.write(`${key}\n`);
  process.stderr.write(
    `Stored the hash of this key for '${label}' (role ${role}) in ${apiKeys}. It is not shown ` +
      'again.\n',
  );
}
