/** `sae-eval inspect`: what a checkpoint holds and which kinds it can be. */
import { describeCheckpoint, renderDescription } from '../../checkpoint/inspect.js';
import { inferKinds } from '../../sae/layout.js';

export async function inspect(path: string, { json = false }: { json?: boolean }): Promise<void> {
  const description = await describeCheckpoint(path, { inferKinds });
  process.stdout.write(json ? `${JSON.stringify(description, null, 2)}\n` : renderDescription(description));
}
