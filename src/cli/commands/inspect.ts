/**
 * `sae-eval inspect`: what a checkpoint holds, which kinds it can be, what must be given with it.
 */
import { renderDescription } from '../../checkpoint/inspect.js';
import { describeCheckpoint } from '../../evaluation/process/describe-checkpoint.js';

export async function inspect(path: string, { json = false }: { json?: boolean }): Promise<void> {
  const description = await describeCheckpoint(path);
  process.stdout.write(
    json ? `${JSON.stringify(description, null, 2)}\n` : renderDescription(description),
  );
}
