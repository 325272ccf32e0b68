/** Builds the simulated device before the tests, of which several use it at a time. */
import { buildSimulatedCuda } from './build.js';

export default async function setup(): Promise<void> {
  await buildSimulatedCuda();
}
