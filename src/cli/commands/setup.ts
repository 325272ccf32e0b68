/** `sae-eval setup`: finds or fetches libtorch and builds the native addon. */
import { setup } from '../../torch/setup/index.js';

export async function setupCommand(): Promise<void> {
  await setup();
}
