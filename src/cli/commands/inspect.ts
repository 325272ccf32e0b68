/**
 * `sae-eval inspect`: what a checkpoint holds, which kinds it can be, what must be given with it.
 */
import { renderDescription } from '../../inspect/render.js';
import { describeCheckpoint } from '../../inspect/describe-checkpoint.js';

export async function inspect(path: string, { json = false }: { json?: boolean }): Promise<void> {
  const description = await describeCheckpoint(path);
  process.stdout.write(
    json ? `${JSON.stringify(description, null, 2)}\n` : renderDescription(description),
  );
}
