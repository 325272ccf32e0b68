/** `sae-eval inspect`: content of a checkpoint, its possible kinds, fields it requires. */
import { renderDescription } from '../../inspect/render.js';
import { describeCheckpoint } from '../../inspect/describe-checkpoint.js';

export async function inspect(path: string, { json = false }: { json?: boolean }): Promise<void> {
  const description = await describeCheckpoint(path);
  process.stdout.write(
    json ? `${JSON.stringify(description, null, 2)}\n` : renderDescription(description),
  );
}
