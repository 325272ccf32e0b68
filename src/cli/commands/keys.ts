/** `sae-eval keys add`: prints a new API key once and stores its hash. */
import { addKey } from '../../../server/auth/keys.js';

export async function addKeyCommand(
  label: string,
  { apiKeys }: { apiKeys: string },
): Promise<void> {
  const key = addKey({ file: apiKeys, label });
  process.stdout.write(`${key}\n`);
  process.stderr.write(
    `Stored the hash of this key for '${label}' in ${apiKeys}. It is not shown again.\n`,
  );
}
